"""Recordings made by a test, and strategies run over them."""

import gzip
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from millrace_backtest.backtest import Backtest
from millrace_backtest.recording.files import Recording, RecordingWriter
from millrace_backtest.settings import BacktestSettings
from millrace_backtest.strategies import BacktestedStrategy
from millrace_core.book import OrderBook
from millrace_core.market import BookDelta, BookSnapshot, Level, Trade, TradesDelta, TradesSnapshot
from millrace_core.messages import Outgoing, encode
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_core.trace import Trace
from millrace_strategy import Strategy, SubscribedStream

TENANT, EXCHANGE, SYMBOL = Tenant("Ann"), ExchangeId("binance"), Symbol("ETH/USDT")
BOOK = StreamName(TENANT, EXCHANGE, Action("watchOrderBook"), SYMBOL)
TRADES = BOOK._replace(action=Action("watchTrades"))
STREAMS = (SubscribedStream(EXCHANGE, SYMBOL, BOOK.action), SubscribedStream(EXCHANGE, SYMBOL, TRADES.action))
START_NS = 1_763_800_000_000_000_000
MS = 1_000_000
EPOCH = 1_763_800_000_000


@dataclass
class Tape:
    """A recording of one symbol's book and trades, written event by event."""

    path: Path
    at_ns: int = START_NS
    book: OrderBook = field(default_factory=OrderBook)

    def __post_init__(self) -> None:
        self.writer = RecordingWriter(self.path, self.at_ns)
        self._numbers: defaultdict[StreamName, Iterator[int]] = defaultdict(lambda: count(1))
        self._trade_ids = count(1)

    def begin(self, bids: Sequence[Level], asks: Sequence[Level]) -> None:
        """Write the first snapshots."""
        self.book.replace(bids, asks, None)
        self.open(BOOK, bids, asks)
        self.snapshot(TRADES, TradesSnapshot([], f"{EPOCH}-0"))
        self.message(TRADES, "status", {"status": "live"})

    def open(self, name: StreamName, bids: Sequence[Level], asks: Sequence[Level]) -> None:
        """Write the first snapshot of a book, and its status."""
        book = OrderBook()
        book.replace(bids, asks, None)
        self.snapshot(name, BookSnapshot(list(bids), list(asks), f"{EPOCH}-0", book.checksum()))
        self.message(name, "status", {"status": "live"})

    def snapshot(self, name: StreamName, data: Any) -> None:
        """Write the first snapshot of a stream."""
        self._write(name.snapshot, f"{EPOCH}-1", "snapshot", data)

    def wait(self, ms: float) -> None:
        """Let time pass."""
        self.at_ns += round(ms * MS)

    def change(self, bids: Iterable[Level] = (), asks: Iterable[Level] = ()) -> None:
        """Write a change of the book."""
        delta = BookDelta(list(bids), list(asks))
        self.book.apply(delta.bids, delta.asks, None)
        self.message(BOOK, "delta", delta)

    def trade(self, price: float, amount: float, side: str) -> None:
        """Write a trade of the market."""
        trade = Trade(str(next(self._trade_ids)), self.at_ns // MS, SYMBOL, side, price, amount)
        self.message(TRADES, "delta", TradesDelta([trade]))

    def message(self, name: StreamName, kind: Any, data: Any) -> None:
        """Write the next message of a stream."""
        self._write(str(name), f"{EPOCH}-{next(self._numbers[name])}", kind, data)

    def skip(self, name: StreamName) -> None:
        """Lose the next message of a stream, unnoticed."""
        next(self._numbers[name])

    def end(self) -> Recording:
        """End the recording and return it."""
        self.writer.end(self.at_ns)
        return Recording(self.path)

    def _write(self, name: str, entry_id: str, kind: Any, data: Any) -> None:
        trace = Trace(published=self.at_ns)
        self.writer.message(name, self.at_ns, entry_id, encode(Outgoing(entry_id, kind, None, trace, data)))
        self.at_ns += 1


async def run(
    strategy: type[Strategy],
    recording: Recording,
    *,
    configuration: dict[str, Any] | None = None,
    streams: tuple[SubscribedStream, ...] = STREAMS,
    **settings: Any,
) -> Backtest:
    """Run a strategy over a recording."""
    plan = BacktestedStrategy(
        strategy=strategy, tenant=TENANT, name="S", configuration=configuration or {}, streams=streams
    )
    backtest = Backtest([plan], [recording], BacktestSettings(**settings))
    await backtest.run()
    return backtest


def lines_of(path: Path) -> list[bytes]:
    """Return the lines of a recording."""
    return gzip.decompress(path.read_bytes()).splitlines()
