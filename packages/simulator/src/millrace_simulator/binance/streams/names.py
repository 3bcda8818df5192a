"""Names of market streams: `btcusdt@depth@100ms`, `!ticker@arr`."""

from __future__ import annotations

from collections.abc import Iterator

from millrace_simulator.statistics import Interval

PARTIAL_LEVELS = (5, 10, 20)
"""How many levels a side the partial depth streams show."""

ALL_TICKERS = "!ticker@arr"
ALL_MINI_TICKERS = "!miniTicker@arr"


class SymbolStreams:
    """The names of all streams of one symbol, made once because they are looked up at every event."""

    __slots__ = (
        "aggregate_trade",
        "average_price",
        "book_ticker",
        "depth",
        "depth_fast",
        "east_klines",
        "klines",
        "mini_ticker",
        "partial",
        "partial_fast",
        "ticker",
        "trade",
    )

    def __init__(self, symbol: str) -> None:
        name = symbol.lower()
        self.trade = f"{name}@trade"
        self.aggregate_trade = f"{name}@aggTrade"
        self.book_ticker = f"{name}@bookTicker"
        self.ticker = f"{name}@ticker"
        self.mini_ticker = f"{name}@miniTicker"
        self.average_price = f"{name}@avgPrice"
        self.depth = f"{name}@depth"
        self.depth_fast = f"{name}@depth@100ms"
        self.partial = {levels: f"{name}@depth{levels}" for levels in PARTIAL_LEVELS}
        self.partial_fast = {levels: f"{name}@depth{levels}@100ms" for levels in PARTIAL_LEVELS}
        self.klines = {interval: f"{name}@kline_{interval}" for interval in Interval}
        self.east_klines = {interval: f"{stream}@+08:00" for interval, stream in self.klines.items()}
        """Klines of the one time zone that has streams: UTC+8."""

    def __iter__(self) -> Iterator[str]:
        """Return every stream of the symbol."""
        yield from (self.trade, self.aggregate_trade, self.book_ticker, self.depth, self.depth_fast)
        yield from (self.ticker, self.mini_ticker, self.average_price)
        yield from (*self.partial.values(), *self.partial_fast.values())
        yield from (*self.klines.values(), *self.east_klines.values())


def streams_in_path(tail: str) -> list[str]:
    """Return the streams that a connection's path or query asks for: names with slashes between.

    Other parts are skipped: some clients put a number of their own there.
    """
    return [part for part in tail.split("/") if "@" in part]
