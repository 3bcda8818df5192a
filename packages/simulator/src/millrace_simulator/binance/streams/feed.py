"""From the venue to the market streams: receives every event, publishes those with subscribers."""

from __future__ import annotations

from millrace_simulator.binance.streams.book_feed import BookFeed
from millrace_simulator.binance.streams.hub import MarketHub
from millrace_simulator.binance.streams.names import ALL_MINI_TICKERS, ALL_TICKERS, SymbolStreams
from millrace_simulator.binance.streams.ticker_feed import TickerFeed, publish_all
from millrace_simulator.binance.streams.trade_feed import KlineFeed, TradeFeed
from millrace_simulator.venue import AggregateTrade, BookChange, Instrument, Listener, PublicTrade, Venue

_SECOND_US = 1_000_000
_EAST_MS = 8 * 3_600_000
"""How far UTC+8 is ahead of UTC."""


class _SymbolFeed:
    """All streams of one symbol."""

    __slots__ = ("book", "east_klines", "klines", "tickers", "trades")

    def __init__(self, hub: MarketHub, instrument: Instrument) -> None:
        streams = SymbolStreams(instrument.symbol)
        hub.streams.update(streams)
        self.book = BookFeed(hub, instrument, streams)
        self.trades = TradeFeed(hub, instrument.scale, streams)
        self.klines = KlineFeed(hub, instrument, streams.klines)
        self.east_klines = KlineFeed(hub, instrument, streams.east_klines, _EAST_MS)
        self.tickers = TickerFeed(hub, instrument, streams)


class MarketFeed(Listener):
    """Publishes trades and best prices as they happen, everything else at the end of a market step.

    Depth is flushed by the first step of each interval of the clock, so a book's update id stays at the event's
    until the next step changes it.
    """

    def __init__(self, venue: Venue, hub: MarketHub, depth_interval_ms: int) -> None:
        self._hub = hub
        hub.streams.update((ALL_TICKERS, ALL_MINI_TICKERS))
        self._symbols: dict[str, _SymbolFeed] = {}
        for instrument in venue.instruments.values():
            self.on_listing(instrument)
        self._interval_us = max(1, depth_interval_ms * 1000)
        now_us = venue.clock.now_us()
        self._interval = now_us // self._interval_us
        self._second = now_us // _SECOND_US

    def on_listing(self, instrument: Instrument) -> None:
        """Publish a symbol from now on."""
        self._symbols[instrument.symbol] = _SymbolFeed(self._hub, instrument)

    def on_trade(self, trade: PublicTrade) -> None:
        """Publish a trade."""
        symbol = self._symbols[trade.symbol]
        symbol.tickers.traded = True
        symbol.trades.trade(trade)

    def on_aggregate(self, aggregate: AggregateTrade) -> None:
        """Publish an aggregate of trades."""
        self._symbols[aggregate.symbol].trades.aggregate(aggregate)

    def on_book(self, change: BookChange) -> None:
        """Gather a change."""
        symbol = self._symbols[change.symbol]
        symbol.tickers.book_changed = True
        symbol.book.change(change)

    def on_step(self, now_us: int) -> None:
        """Publish the due events."""
        interval, second = now_us // self._interval_us, now_us // _SECOND_US
        if interval != self._interval:
            self._interval = interval
            self._flush_depth(now_us, fast=True)
        if second != self._second:
            self._second = second
            self._flush_depth(now_us, fast=False)
            self._tick(second, now_us)

    def _flush_depth(self, now_us: int, *, fast: bool) -> None:
        for symbol in self._symbols.values():
            symbol.book.flush(now_us, fast=fast)

    def _tick(self, second: int, now_us: int) -> None:
        sums = [symbol.tickers.tick(now_us) for symbol in self._symbols.values()]
        publish_all(self._hub, ALL_TICKERS, (ticker for ticker, _ in sums if ticker is not None))
        publish_all(self._hub, ALL_MINI_TICKERS, (mini for _, mini in sums if mini is not None))
        for symbol in self._symbols.values():
            symbol.klines.tick(second, now_us)
            symbol.east_klines.tick(second, now_us)
