"""The streams of one symbol's order book: changes, best levels, best prices."""

from __future__ import annotations

from millrace_simulator.binance.streams import events
from millrace_simulator.binance.streams.depth import DepthBatch, DepthUpdate
from millrace_simulator.binance.streams.hub import MarketHub, Render
from millrace_simulator.binance.streams.names import PARTIAL_LEVELS, SymbolStreams
from millrace_simulator.binance.times import TimeUnit
from millrace_simulator.venue import BookChange, BookTicker, Instrument


class BookFeed:
    """Publishes the changes of one book; `fast` marks the streams at 100 ms, else those at a second."""

    def __init__(self, hub: MarketHub, instrument: Instrument, streams: SymbolStreams) -> None:
        self._hub = hub
        self._instrument = instrument
        self._streams = streams
        self._slow = _Cadence(hub, instrument, streams.depth, streams.partial)
        self._fast = _Cadence(hub, instrument, streams.depth_fast, streams.partial_fast)
        self._best: BookTicker | None = None

    def change(self, change: BookChange) -> None:
        """Take in the next change; best prices go out at once, the rest at the next flush."""
        self._slow.change(change)
        self._fast.change(change)
        if self._hub.wanted(self._streams.book_ticker):
            self._publish_best()

    def flush(self, now_us: int, *, fast: bool) -> None:
        """Publish the changes since the last flush of this cadence, if any."""
        (self._fast if fast else self._slow).flush(now_us)

    def _publish_best(self) -> None:
        best = self._instrument.book_ticker()
        last, self._best = self._best, best
        if last is None or _prices(last) != _prices(best):
            self._hub.publish(self._streams.book_ticker, _rendered(events.book_ticker(best, self._instrument.scale)))


class _Cadence:
    """The depth streams that are flushed together."""

    def __init__(self, hub: MarketHub, instrument: Instrument, diff: str, partial: dict[int, str]) -> None:
        self._hub = hub
        self._instrument = instrument
        self._diff = diff
        self._partial = partial
        self._batch = DepthBatch(instrument.symbol)
        self._shown_update_id = 0

    def change(self, change: BookChange) -> None:
        if self._hub.wanted(self._diff):
            self._batch.add(change)
        else:
            self._batch.forget()

    def flush(self, now_us: int) -> None:
        update = self._batch.take()
        if update is not None:
            self._publish_diff(update, now_us)
        wanted = [levels for levels in PARTIAL_LEVELS if self._hub.wanted(self._partial[levels])]
        if wanted and self._shown_update_id != self._instrument.last_update_id:
            self._publish_partial(wanted)

    def _publish_diff(self, update: DepthUpdate, now_us: int) -> None:
        scale = self._instrument.scale

        def render(unit: TimeUnit) -> bytes:
            return events.depth_update(update, scale, now_us, unit)

        self._hub.publish(self._diff, render)

    def _publish_partial(self, wanted: list[int]) -> None:
        book = self._instrument.depth(wanted[-1])
        self._shown_update_id = book.last_update_id
        for levels in wanted:
            self._hub.publish(
                self._partial[levels], _rendered(events.partial_depth(book, levels, self._instrument.scale))
            )


def _prices(best: BookTicker) -> tuple[int, int, int, int]:
    return best.bid, best.bid_quantity, best.ask, best.ask_quantity


def _rendered(payload: bytes) -> Render:
    """Return a renderer for an event without a time, which is the same in every unit."""
    return lambda _: payload
