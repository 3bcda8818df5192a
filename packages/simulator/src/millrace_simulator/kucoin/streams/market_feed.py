"""From the venue to the market topics: receives every event, publishes those with subscribers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, ParamSpec

from millrace_simulator.kucoin.operations.market import CANDLE_TYPES
from millrace_simulator.kucoin.operations.symbols import MARKET
from millrace_simulator.kucoin.streams import market_events, topics
from millrace_simulator.streaming import Hub
from millrace_simulator.venue import BookChange, BookTicker, Instrument, Listener, PublicTrade, Venue

P = ParamSpec("P")

SNAPSHOT_INTERVAL_US = 2_000_000
DEPTHS = {5: topics.DEPTH_5, 50: topics.DEPTH_50}


class SymbolFeed:
    """Publishes all topics of one symbol."""

    def __init__(self, hub: Hub[None], instrument: Instrument) -> None:
        self._hub = hub
        self._instrument = instrument
        symbol = instrument.symbol
        self._level2 = f"{topics.LEVEL2}:{symbol}"
        self._level1 = f"{topics.LEVEL1}:{symbol}"
        self._match = f"{topics.MATCH}:{symbol}"
        self._ticker = f"{topics.TICKER}:{symbol}"
        self._snapshots = (f"{topics.SNAPSHOT}:{symbol}", f"{topics.SNAPSHOT}:{MARKET}")
        self._depths = {levels: f"{topic}:{symbol}" for levels, topic in DEPTHS.items()}
        self._candles = {f"{topics.CANDLES}:{symbol}_{kind}": each for kind, each in CANDLE_TYPES.items()}
        self._best: BookTicker | None = None
        self._candles_due = self._ticker_due = self._depth_due = self._snapshot_due = False

    def book(self, change: BookChange) -> None:
        """Publish a change of the book at once."""
        self._ticker_due = self._depth_due = self._snapshot_due = True
        self._publish(self._level2, market_events.level2, change, self._instrument.scale)

    def trade(self, trade: PublicTrade) -> None:
        """Publish a trade at once."""
        self._candles_due = self._ticker_due = self._snapshot_due = True
        self._publish(self._match, market_events.match, trade, self._instrument.scale)

    def step(self, now_us: int) -> None:
        """Publish what a step of the market changed: best prices and candles."""
        if self._hub.wanted(self._level1):
            self._publish_best(now_us)
        if self._candles_due:
            self._candles_due = False
            for topic, interval in self._candles.items():
                self._publish(topic, market_events.candle, self._instrument, interval, now_us)

    def tick(self, now_us: int) -> None:
        """Publish what goes out at intervals: best prices with the last trade, and depth."""
        if self._ticker_due:
            self._ticker_due = False
            for topic, subject in ((self._ticker, "trade.ticker"), (topics.ALL_TICKERS, self._instrument.symbol)):
                self._publish(topic, market_events.ticker, subject, self._instrument, now_us)
        if self._depth_due:
            self._depth_due = False
            for levels, topic in self._depths.items():
                self._publish(topic, market_events.depth, self._instrument, levels, now_us)

    def snapshot(self, now_us: int) -> None:
        """Publish the statistics, if anything changed."""
        if self._snapshot_due:
            self._snapshot_due = False
            for topic in self._snapshots:
                self._publish(topic, market_events.snapshot, self._instrument, now_us)

    def _publish_best(self, now_us: int) -> None:
        best = self._instrument.book_ticker()
        last, self._best = self._best, best
        if last is None or _prices(last) != _prices(best):
            self._publish(self._level1, market_events.level1, best, self._instrument.scale, now_us)

    def _publish(
        self, topic: str, event: Callable[Concatenate[str, P], bytes], *args: P.args, **more: P.kwargs
    ) -> None:
        if self._hub.wanted(topic):
            self._hub.deliver(topic, lambda _: event(topic, *args, **more))


class MarketFeed(Listener):
    """Publishes books and trades as they change, everything else at the end of a market step."""

    def __init__(self, venue: Venue, hub: Hub[None], interval_ms: int) -> None:
        self._hub = hub
        self._symbols: dict[str, SymbolFeed] = {}
        for instrument in venue.instruments.values():
            self.on_listing(instrument)
        self._interval_us = max(1, interval_ms * 1000)
        now_us = venue.clock.now_us()
        self._interval = now_us // self._interval_us
        self._snapshot = now_us // SNAPSHOT_INTERVAL_US

    def on_listing(self, instrument: Instrument) -> None:
        """Publish a symbol from now on."""
        self._symbols[instrument.symbol] = SymbolFeed(self._hub, instrument)

    def on_book(self, change: BookChange) -> None:
        """Publish a change of a book."""
        self._symbols[change.symbol].book(change)

    def on_trade(self, trade: PublicTrade) -> None:
        """Publish a trade."""
        self._symbols[trade.symbol].trade(trade)

    def on_step(self, now_us: int) -> None:
        """Publish what is due."""
        interval, snapshot = now_us // self._interval_us, now_us // SNAPSHOT_INTERVAL_US
        for symbol in self._symbols.values():
            symbol.step(now_us)
            if interval != self._interval:
                symbol.tick(now_us)
            if snapshot != self._snapshot:
                symbol.snapshot(now_us)
        self._interval, self._snapshot = interval, snapshot


def _prices(best: BookTicker) -> tuple[int, int, int, int]:
    return best.bid, best.bid_quantity, best.ask, best.ask_quantity
