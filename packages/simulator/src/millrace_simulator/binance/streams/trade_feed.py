"""The streams of one symbol's trades: single trades, aggregates, klines."""

from __future__ import annotations

from collections.abc import Mapping

from millrace_simulator.binance.streams import events
from millrace_simulator.binance.streams.hub import MarketHub
from millrace_simulator.binance.streams.names import SymbolStreams
from millrace_simulator.binance.times import TimeUnit
from millrace_simulator.statistics import Interval, Kline
from millrace_simulator.venue import AggregateTrade, Instrument, PublicTrade, Scale


class TradeFeed:
    """Publishes every trade at once, and every aggregate when it is complete."""

    def __init__(self, hub: MarketHub, scale: Scale, streams: SymbolStreams) -> None:
        self._hub = hub
        self._scale = scale
        self._streams = streams

    def trade(self, trade: PublicTrade) -> None:
        """Publish a trade."""
        self._hub.publish(self._streams.trade, lambda unit: events.trade(trade, self._scale, unit))

    def aggregate(self, aggregate: AggregateTrade) -> None:
        """Publish an aggregate."""
        self._hub.publish(
            self._streams.aggregate_trade, lambda unit: events.aggregate_trade(aggregate, self._scale, unit)
        )


class KlineFeed:
    """Publishes the running kline as it grows and each closed one, every second (`1s`) or every two."""

    def __init__(
        self, hub: MarketHub, instrument: Instrument, streams: Mapping[Interval, str], zone_ms: int = 0
    ) -> None:
        self._hub = hub
        self._instrument = instrument
        self._streams = streams
        self._zone_ms = zone_ms
        self._shown: dict[Interval, Kline] = {}

    def tick(self, second: int, now_us: int) -> None:
        """Publish closed and changed candles; `second` counts whole seconds of the clock."""
        for interval, stream in self._streams.items():
            if not self._hub.wanted(stream):
                self._shown.pop(interval, None)
            elif interval is Interval.S1 or second % 2 == 0:
                self._advance(interval, stream, now_us)

    def _advance(self, interval: Interval, stream: str, now_us: int) -> None:
        running = self._instrument.statistics.kline(interval, self._zone_ms)
        shown = self._shown.get(interval)
        self._shown[interval] = running
        if shown is not None:
            self._close_until(running.open_ms, shown.open_ms, interval, stream, now_us)
        if running != shown:
            self._publish(running, interval, stream, now_us, closed=False)

    def _close_until(self, running_ms: int, open_ms: int, interval: Interval, stream: str, now_us: int) -> None:
        while open_ms < running_ms:
            candle = self._instrument.statistics.kline_at(interval, open_ms, self._zone_ms)
            if candle is not None:
                self._publish(candle, interval, stream, now_us, closed=True)
            open_ms = interval.next_open(open_ms, self._zone_ms)

    def _publish(self, candle: Kline, interval: Interval, stream: str, now_us: int, *, closed: bool) -> None:
        symbol, scale = self._instrument.symbol, self._instrument.scale

        def render(unit: TimeUnit) -> bytes:
            return events.kline(symbol, interval, candle, scale, now_us, unit, closed=closed)

        self._hub.publish(stream, render)
