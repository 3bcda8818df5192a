"""A recording of busy markets, for the benchmark of backtests and its peers: books of 12 changed levels, and trades."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from random import Random

from millrace_backtest.recording.files import RecordingWriter
from millrace_core.book import OrderBook
from millrace_core.market import BookDelta, BookSnapshot, Level, Trade, TradesDelta, TradesSnapshot
from millrace_core.messages import Outgoing, encode
from millrace_core.names import PUBLIC, Action, ExchangeId, StreamName, Symbol
from millrace_core.trace import Trace

EPOCH = 1_763_800_000_000
LEVELS = 6
"""That change on each side in a message."""
CHANGES_A_SECOND = 10
"""Of one symbol."""


class BusyMarket:
    """One symbol whose price walks at random."""

    def __init__(self, number: int, random: Random) -> None:
        symbol = Symbol(f"S{number}/USDT")
        self.book_name = StreamName(PUBLIC, ExchangeId("binance"), Action("watchOrderBook"), symbol)
        self.trades_name = self.book_name._replace(action=Action("watchTrades"))
        self.book = OrderBook()
        self._random, self._mid = random, 100_000
        self._messages, self._trades = count(1), count(1)
        levels = [(self._price(-step), 5.0) for step in range(1, 101)]
        self.book.replace(levels, [(self._price(step), 5.0) for step in range(1, 101)], None)

    def begin(self, writer: RecordingWriter, at_ns: int) -> None:
        """Write the first snapshots."""
        as_of = f"{EPOCH}-0"
        book = BookSnapshot(self.book.bids.levels(), self.book.asks.levels(), as_of, self.book.checksum())
        for name, data in ((self.book_name, book), (self.trades_name, TradesSnapshot([], as_of))):
            message = Outgoing(f"{EPOCH}-1", "snapshot", None, Trace(published=at_ns), data)
            writer.message(name.snapshot, at_ns, f"{EPOCH}-1", encode(message))

    def change(self, writer: RecordingWriter, at_ns: int) -> None:
        """Write a change of the book, and a trade now and then."""
        random = self._random
        self._mid += random.choice((-1, 0, 0, 0, 0, 1))
        bids = [*self._crossed(is_bid=True), *self._levels(-1)]
        asks = [*self._crossed(is_bid=False), *self._levels(1)]
        self.book.apply(bids, asks, None)
        number = next(self._messages)
        checksum = self.book.checksum() if number % 50 == 0 else None
        self._write(writer, self.book_name, number, at_ns, BookDelta(bids, asks, number, checksum))
        if random.random() < 0.25:
            side = random.choice(("buy", "sell"))
            best = (self.book.asks if side == "buy" else self.book.bids).best() or (0.0, 0.0)
            trade = Trade(str(number), at_ns // 10**6, str(self.book_name.symbol), side, best[0], random.random() * 3)
            self._write(writer, self.trades_name, next(self._trades), at_ns, TradesDelta([trade]))

    def _crossed(self, *, is_bid: bool) -> Iterator[Level]:
        side = self.book.bids if is_bid else self.book.asks
        for price, _ in side.levels(5):
            if (round(price * 100) >= self._mid) if is_bid else (round(price * 100) <= self._mid):
                yield price, 0.0

    def _levels(self, sign: int) -> Iterator[Level]:
        for _ in range(LEVELS):
            yield self._price(sign * self._random.randint(1, 30)), self._random.randint(1, 900) / 100

    def _price(self, step: int) -> float:
        return round((self._mid + step) / 100, 2)

    @staticmethod
    def _write(writer: RecordingWriter, name: StreamName, number: int, at_ns: int, data: object) -> None:
        entry = f"{EPOCH}-{number}"
        trace = Trace(exchange=at_ns, received=at_ns, published=at_ns)
        writer.message(str(name), at_ns, entry, encode(Outgoing(entry, "delta", at_ns // 10**6, trace, data)))


def make(path: Path, symbols: int, changes: int) -> None:
    """Write so many changes of books, of all symbols together."""
    at_ns, random = EPOCH * 10**6, Random(1)
    with RecordingWriter(path, at_ns) as writer:
        markets = [BusyMarket(number, random) for number in range(symbols)]
        for market in markets:
            market.begin(writer, at_ns)
        for number in range(changes):
            at_ns += 10**9 // (CHANGES_A_SECOND * symbols)
            markets[number % symbols].change(writer, at_ns)
        writer.end(at_ns)
