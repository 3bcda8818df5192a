"""The streams of a symbol's statistics, once a second: 24-hour tickers and the average price."""

from __future__ import annotations

from collections.abc import Iterable

from millrace_simulator.binance.streams import events
from millrace_simulator.binance.streams.hub import MarketHub, Render
from millrace_simulator.binance.streams.names import ALL_MINI_TICKERS, ALL_TICKERS, SymbolStreams
from millrace_simulator.binance.times import TimeUnit
from millrace_simulator.venue import Instrument


class TickerFeed:
    """Publishes the statistics of one symbol that changed in the last second."""

    def __init__(self, hub: MarketHub, instrument: Instrument, streams: SymbolStreams) -> None:
        self._hub = hub
        self._instrument = instrument
        self._streams = streams
        self.book_changed = False
        """Set when the book changed: the ticker shows the best prices."""
        self.traded = False
        """Set when there was a trade."""

    def tick(self, now_us: int) -> tuple[Render | None, Render | None]:
        """Publish the symbol's own streams; return its ticker and mini ticker, if changed, for those of all symbols."""
        changed, traded = self.book_changed or self.traded, self.traded
        self.book_changed = self.traded = False
        ticker = self._ticker(now_us) if changed and self._any_wants(self._streams.ticker, ALL_TICKERS) else None
        mini = (
            self._mini_ticker(now_us)
            if traded and self._any_wants(self._streams.mini_ticker, ALL_MINI_TICKERS)
            else None
        )
        if ticker is not None:
            self._hub.publish(self._streams.ticker, ticker)
        if mini is not None:
            self._hub.publish(self._streams.mini_ticker, mini)
        if traded and self._hub.wanted(self._streams.average_price):
            self._hub.publish(self._streams.average_price, self._average_price(now_us))
        return ticker, mini

    def _any_wants(self, *streams: str) -> bool:
        return any(self._hub.wanted(stream) for stream in streams)

    def _ticker(self, now_us: int) -> Render:
        instrument = self._instrument
        day, best = instrument.statistics.ticker(), instrument.book_ticker()
        return lambda unit: events.ticker(instrument.symbol, day, best, instrument.scale, now_us, unit)

    def _mini_ticker(self, now_us: int) -> Render:
        instrument = self._instrument
        day = instrument.statistics.ticker()
        return lambda unit: events.mini_ticker(instrument.symbol, day, instrument.scale, now_us, unit)

    def _average_price(self, now_us: int) -> Render:
        symbol, average = self._instrument.symbol, self._instrument.statistics.average_price()
        return lambda unit: events.average_price(symbol, average, now_us, unit)


def publish_all(hub: MarketHub, stream: str, changed: Iterable[Render]) -> None:
    """Publish the events of all symbols that changed as one; nothing when none did."""
    renders = tuple(changed)

    def render(unit: TimeUnit) -> bytes:
        return events.array(one(unit) for one in renders)

    if renders:
        hub.publish(stream, render)
