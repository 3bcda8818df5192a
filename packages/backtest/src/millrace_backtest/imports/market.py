"""One market's streams, made of what files tell of it, as a gatherer would have published them."""

from collections.abc import Iterable
from typing import Any, Final

from millrace_backtest.imports.events import BookChanged, CandleClosed, MarketEvent, Quoted, Traded
from millrace_backtest.recording.files import RecordingWriter
from millrace_backtest.recording.numbered import NumberedStreams
from millrace_core.book import OrderBook
from millrace_core.market import BookDelta, BookSnapshot, CandlesDelta, Level, TradesDelta
from millrace_core.names import Action, StreamName

_CHECKSUM_EVERY: Final = 100
"""Changes of a book, of which the last carries the checksum."""


class ImportedMarket:
    """Writes the streams of one market; `stream` is the name of any of them.

    Quotes become a book of one level too, unless the files hold books.
    """

    def __init__(self, writer: RecordingWriter, stream: StreamName, *, has_books: bool) -> None:
        self._streams = NumberedStreams(writer)
        self._book = _ImportedBook(self._streams, stream._replace(action=Action("watchOrderBook")))
        self._trades, self._quotes, self._candles = (
            stream._replace(action=Action(action)) for action in ("watchTrades", "watchBidsAsks", "watchOHLCV")
        )
        self._has_books = has_books

    @property
    def uncrossed(self) -> int:
        """Return how many levels were removed because newer ones of the other side crossed them."""
        return self._book.uncrossed

    def take(self, event: MarketEvent) -> None:
        """Write what an event changes; events come by time."""
        match event:
            case BookChanged():
                self._book.take(event)
            case Traded(at_ns, event_ms, trades):
                self._streams.message(self._trades, at_ns, "delta", event_ms, TradesDelta(trades))
            case Quoted():
                self._quoted(event)
            case CandleClosed(at_ns, event_ms, timeframe, candle):
                self._streams.message(self._candles, at_ns, "delta", event_ms, CandlesDelta(timeframe, [candle]))

    def _quoted(self, event: Quoted) -> None:
        (bid, bid_volume), (ask, ask_volume) = event.bid or (None, None), event.ask or (None, None)
        fields: dict[str, Any] = {"symbol": self._quotes.symbol, "timestamp": event.event_ms}
        fields |= {"bid": bid, "bidVolume": bid_volume, "ask": ask, "askVolume": ask_volume}
        self._streams.message(self._quotes, event.at_ns, "delta", event.event_ms, fields)
        if not self._has_books:
            bids, asks = ([] if each is None else [each] for each in (event.bid, event.ask))
            self._book.take(BookChanged(event.at_ns, event.event_ms, bids, asks, is_whole=True))


class _ImportedBook:
    def __init__(self, streams: NumberedStreams, name: StreamName) -> None:
        self.uncrossed = 0
        self._streams, self._name = streams, name
        self._book: OrderBook | None = None
        self._since_checksum = 0

    def take(self, event: BookChanged) -> None:
        if self._book is None:
            self._begin(event)
            return
        book, bids, asks = self._book, list(event.bids), list(event.asks)
        if event.is_whole:
            bids, asks = book.difference(bids, asks)
        if book.may_cross(bids, asks):
            self._uncross(book, bids, asks)
        if not bids and not asks:
            return
        book.apply(bids, asks, None)
        self._since_checksum += 1
        is_due = self._since_checksum == _CHECKSUM_EVERY
        self._since_checksum %= _CHECKSUM_EVERY
        delta = BookDelta(bids, asks, checksum=book.checksum() if is_due else None)
        self._streams.message(self._name, event.at_ns, "delta", event.event_ms, delta)

    def _begin(self, event: BookChanged) -> None:
        self._book = book = OrderBook()
        bids, asks = list(event.bids), list(event.asks)
        self._uncross(book, bids, asks)
        book.replace(bids, asks, None)
        levels = book.bids.levels(), book.asks.levels()
        self._streams.begin(
            self._name, event.at_ns, lambda as_of: BookSnapshot(*levels, as_of=as_of, checksum=book.checksum())
        )

    def _uncross(self, book: OrderBook, bids: list[Level], asks: list[Level]) -> None:
        """Remove the older of levels that cross: what files lack is the message that took them away."""
        after = OrderBook()
        after.replace(book.bids.levels(), book.asks.levels(), None)
        after.apply(bids, asks, None)
        new_bids = {price for price, amount in bids if amount}
        while after.is_crossed:
            bid, ask = after.bids.best(), after.asks.best()
            assert bid is not None and ask is not None  # noqa: S101 - a book with an empty side is not crossed
            if bid[0] in new_bids:
                _remove(asks, ask[0])
                after.asks.apply([(ask[0], 0.0)])
            else:
                _remove(bids, bid[0])
                after.bids.apply([(bid[0], 0.0)])
            self.uncrossed += 1


def _remove(levels: list[Level], price: float) -> None:
    levels[:] = [*((at, amount) for at, amount in levels if at != price), (price, 0.0)]


def has_books(events: Iterable[MarketEvent]) -> bool:
    """Tell whether any of the events is one of a whole book."""
    return any(isinstance(event, BookChanged) for event in events)
