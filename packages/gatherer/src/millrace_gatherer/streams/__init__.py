"""The streams, each of its kind: what the exchange tells goes in, deltas of what was published come out."""

from collections.abc import Callable

from millrace_bus import Bus
from millrace_core.names import Symbol
from millrace_gatherer.streams.balance import BalanceStream
from millrace_gatherer.streams.candles import CandlesStream
from millrace_gatherer.streams.order_book import OrderBookStream
from millrace_gatherer.streams.orders import OrdersStream
from millrace_gatherer.streams.running import run_stream
from millrace_gatherer.streams.stream import Stream
from millrace_gatherer.streams.ticker import TickerStream
from millrace_gatherer.streams.trades import MyTradesStream, PublicTradesStream
from millrace_gatherer.units import StreamUnit
from millrace_service import UnitHealthReporter

__all__ = ["Stream", "run_stream", "stream_of"]

_OF_ONE_SYMBOL: dict[str, Callable[[StreamUnit, Symbol, Bus, UnitHealthReporter], Stream]] = {
    "watchOrderBook": OrderBookStream,
    "watchTrades": PublicTradesStream,
    "watchMyTrades": MyTradesStream,
    "watchOrders": OrdersStream,
    "watchTicker": TickerStream,
    "watchOHLCV": CandlesStream,
}


def stream_of(unit: StreamUnit, bus: Bus, health: UnitHealthReporter) -> Stream:
    """Return the stream that a unit asks for, not yet running."""
    if unit.name.symbol is None:
        return BalanceStream(unit, bus, health)
    return _OF_ONE_SYMBOL[unit.name.action](unit, unit.name.symbol, bus, health)
