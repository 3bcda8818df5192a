"""A recording made of others: candles of any interval from trades, and books at most once in an interval.

Everything else is copied as it is. Candles and books come at the end of their interval, as a strategy would see them
then.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple, cast

from millrace_backtest.errors import NothingRecorded
from millrace_backtest.playback import StreamPlayback, arrived
from millrace_backtest.recording.files import Recorded, Recording, RecordingWriter, merged, new_recording
from millrace_backtest.recording.lines import GapRecorded
from millrace_backtest.recording.numbered import NumberedStreams
from millrace_backtest.timeline import Timeline
from millrace_bus import Update
from millrace_core.book import OrderBook
from millrace_core.clock import NS_PER_MS
from millrace_core.continuity import Gap
from millrace_core.decimals import number
from millrace_core.errors import InvalidMessage, InvalidName
from millrace_core.intervals import Interval
from millrace_core.market import BookDelta, BookSnapshot, Candle, CandlesDelta, CandlesSnapshot, Trade
from millrace_core.messages import decode
from millrace_core.names import Action, StreamName, is_snapshot
from millrace_core.position import EXACT
from millrace_core.states import KEPT_CANDLES, BookState
from millrace_dbsync.plan import matches

_BOOK: Final = "watchOrderBook"
_TRADES: Final = "watchTrades"
_CANDLES: Final = Action("watchOHLCV")
_PROGRESS_EVERY: Final = 20_000


class Resampling(NamedTuple):
    """What is made of recordings."""

    timeframes: Sequence[str] = ()
    """Of the candles that are made of trades."""
    books_ms: int | None = None
    """How often a book is written at most; None copies every change."""
    patterns: Sequence[str] = ()
    """Of the streams that are copied; none copies all."""


def resample(
    sources: Sequence[Recording],
    out: Path,
    wanted: Resampling,
    on_progress: Callable[[int], None] = lambda _messages: None,
) -> int:
    """Write a recording made of others; return the number of its messages. After an error there is none.

    Raises:
        RecordingUnreadable: a file is no recording.
        NothingRecorded: nothing is left of them.
        ValueError: a timeframe is none.
        FileExistsError: `out` is there already.
    """
    recorded = merged(sources)
    first = next(recorded, None)
    if first is None:
        raise NothingRecorded("the recordings hold no messages")
    began_ns = min((source.began_ns for source in sources if source.began_ns), default=first.at_ns)
    with new_recording(out, min(began_ns, first.at_ns)) as writer:
        made = _Resampled(writer, wanted, first.at_ns)
        made.take(first)
        for count, each in enumerate(recorded, 2):
            made.take(each)
            if count % _PROGRESS_EVERY == 0:
                on_progress(count)
        if not writer.messages:
            raise NothingRecorded("the recordings hold no trades, books or other streams that were asked for")
        writer.end(max([made.timeline.now_ns, *(source.ends.end for source in sources if source.ends is not None)]))
        return writer.messages


class _Resampled:
    """Takes what recordings hold, by time, and writes what is made of it."""

    def __init__(self, writer: RecordingWriter, wanted: Resampling, at_ns: int) -> None:
        self.timeline = Timeline(at_ns)
        self._writer, self._wanted = writer, wanted
        self._intervals = {timeframe: Interval.parse(timeframe) for timeframe in wanted.timeframes}
        self._streams = NumberedStreams(writer)
        self._books: dict[str, _ThinBook] = {}
        self._candles: dict[str, _MadeCandles] = {}

    def take(self, recorded: Recorded) -> None:
        """Take a message or a gap; first write what was due before it."""
        while self.timeline.next_ns <= recorded.at_ns:
            self.timeline.run_next()
        self.timeline.now_ns = max(self.timeline.now_ns, recorded.at_ns)
        try:
            name = StreamName.parse(recorded.name)
        except InvalidName:
            self._copy(recorded)
            return
        if name.action == _TRADES and self._intervals:
            self._made_candles(name).take(recorded)
        if name.action == _BOOK and self._wanted.books_ms is not None:
            self._thin_book(name, self._wanted.books_ms).take(recorded)
        elif name.action != _CANDLES or not self._intervals:
            self._copy(recorded)

    def _copy(self, recorded: Recorded) -> None:
        patterns, what = self._wanted.patterns, recorded.what
        if patterns and not any(matches(pattern, recorded.name.replace(".snapshot.", ".", 1)) for pattern in patterns):
            return
        if isinstance(what, GapRecorded):
            gap = Gap(recorded.name, what.epoch, what.first_seq, what.last_seq, what.reason)
            self._writer.gap(gap, recorded.at_ns)
        else:
            self._writer.message(recorded.name, recorded.at_ns, what.id, bytes(what.body))

    def _made_candles(self, name: StreamName) -> "_MadeCandles":
        found = self._candles.get(str(name))
        if found is None:
            found = self._candles[str(name)] = _MadeCandles(name, self._intervals, self._streams, self.timeline)
        return found

    def _thin_book(self, name: StreamName, every_ms: int) -> "_ThinBook":
        found = self._books.get(str(name))
        if found is None:
            found = self._books[str(name)] = _ThinBook(name, every_ms * NS_PER_MS, self._streams, self.timeline)
        return found


class _Played:
    """A recorded stream, played."""

    def __init__(self, name: StreamName) -> None:
        self._playback = StreamPlayback(name, 0, exact=True)

    def updates(self, recorded: Recorded) -> Sequence[Update]:
        """Return what a reader gets by a message."""
        if isinstance(recorded.what, GapRecorded):
            return self._playback.gap()
        try:
            message = decode(recorded.what.body)
            if is_snapshot(recorded.name):
                self._playback.snapshot(message)
                return ()
            return self._playback.message(arrived(message, recorded.at_ns))
        except (InvalidMessage, InvalidName):
            return ()


class _ThinBook:
    """Writes one book at the ends of intervals in which it changed."""

    def __init__(self, name: StreamName, every_ns: int, streams: NumberedStreams, timeline: Timeline) -> None:
        self._name, self._every_ns = name, every_ns
        self._streams, self._timeline = streams, timeline
        self._played = _Played(name)
        self._book: OrderBook | None = None
        """The recorded book; None while it is not known."""
        self._written: OrderBook | None = None
        """What a reader of the written stream has; None before it begins, and after a gap."""
        self._is_due = self._has_begun = False

    def take(self, recorded: Recorded) -> None:
        for update in self._played.updates(recorded):
            if update.kind in ("delta", "snapshot"):
                self._book = cast("BookState", update.state).book
                self._plan()
            elif update.kind == "status" and self._has_begun:
                self._streams.message(self._name, recorded.at_ns, "status", None, update.data)
            elif update.kind == "untrusted":
                self._lose(recorded)

    def _plan(self) -> None:
        if not self._is_due:
            self._is_due = True
            now_ns, every_ns = self._timeline.now_ns, self._every_ns
            due_ns = now_ns if self._written is None else (now_ns // every_ns + 1) * every_ns
            self._timeline.at(due_ns, partial(self._write, due_ns))

    def _write(self, at_ns: int) -> None:
        self._is_due = False
        book, written = self._book, self._written
        if book is None:
            return
        bids, asks = book.bids.levels(), book.asks.levels()
        if written is None:
            written = self._written = OrderBook()
            written.replace(bids, asks, None)
            checksum = written.checksum()
            self._has_begun = True
            self._streams.begin(self._name, at_ns, lambda as_of: BookSnapshot(bids, asks, as_of, checksum))
            return
        changed = written.difference(bids, asks)
        written.apply(*changed, None)
        if any(changed):
            self._streams.message(self._name, at_ns, "delta", None, BookDelta(*changed, checksum=written.checksum()))

    def _lose(self, recorded: Recorded) -> None:
        self._book = self._written = None
        if self._has_begun:
            what = recorded.what
            reason = what.reason if isinstance(what, GapRecorded) else "the recorded book was wrong or had a hole"
            self._streams.gap(self._name, recorded.at_ns, 0, reason)


class _MadeCandles:
    """Builds the candles of one market's trades, by the exchange's times."""

    def __init__(
        self, name: StreamName, intervals: dict[str, Interval], streams: NumberedStreams, timeline: Timeline
    ) -> None:
        self._name = name._replace(action=_CANDLES)
        self._intervals, self._streams, self._timeline = intervals, streams, timeline
        self._played = _Played(name)
        self._candles: dict[str, dict[int, _Candle]] = {timeframe: {} for timeframe in intervals}
        self._has_begun = False

    def take(self, recorded: Recorded) -> None:
        for update in self._played.updates(recorded):
            if update.kind == "delta":
                for trade in update.data.trades:
                    self._add(trade)
            elif update.kind == "untrusted" and self._has_begun:
                self._streams.gap(self._name, recorded.at_ns, 0, "trades are missing")
                self._streams.begin(self._name, recorded.at_ns, self._snapshot)

    def _add(self, trade: Trade) -> None:
        now_ms = self._timeline.now_ns // NS_PER_MS
        traded_ms = now_ms if trade.timestamp is None else trade.timestamp
        for timeframe, interval in self._intervals.items():
            candles, opened_ms = self._candles[timeframe], interval.open_of(traded_ms)
            candle = candles.get(opened_ms)
            if candle is not None:
                candle.add(trade)
                if candle.is_written:
                    self._write(timeframe, candle)
            elif not candles or opened_ms > next(reversed(candles)):
                candles[opened_ms] = candle = _Candle(opened_ms, trade)
                closes_ns = interval.next_open(opened_ms) * NS_PER_MS
                self._timeline.at(closes_ns, partial(self._write, timeframe, candle))
                while len(candles) > KEPT_CANDLES:
                    del candles[next(iter(candles))]

    def _write(self, timeframe: str, candle: "_Candle") -> None:
        candle.is_written = self._has_begun = True
        now_ns = self._timeline.now_ns
        delta = CandlesDelta(timeframe, [candle.plain()])
        self._streams.message(self._name, now_ns, "delta", now_ns // NS_PER_MS, delta)

    def _snapshot(self, as_of: str) -> CandlesSnapshot:
        shown = {
            timeframe: [candle.plain() for candle in candles.values() if candle.is_written]
            for timeframe, candles in self._candles.items()
        }
        return CandlesSnapshot(shown, as_of)


class _Candle:
    """One candle; its volume is summed in decimals, so that it is exact."""

    def __init__(self, opened_ms: int, trade: Trade) -> None:
        self.is_written = False
        self._opened_ms = opened_ms
        self._open = self._high = self._low = self._close = trade.price
        self._volume = Decimal(repr(trade.amount))

    def add(self, trade: Trade) -> None:
        """Add a trade."""
        self._high, self._low = max(self._high, trade.price), min(self._low, trade.price)
        self._close = trade.price
        self._volume = EXACT.add(self._volume, Decimal(repr(trade.amount)))

    def plain(self) -> Candle:
        """Return it as it travels."""
        return self._opened_ms, self._open, self._high, self._low, self._close, number(str(self._volume))
