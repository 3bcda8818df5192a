"""The streams of one symbol's trades, single and aggregated."""

from __future__ import annotations

from millrace_simulator.binance.streams import events
from millrace_simulator.binance.streams.hub import Hub
from millrace_simulator.binance.streams.names import SymbolStreams
from millrace_simulator.venue import AggregateTrade, PublicTrade, Scale


class TradeFeed:
    """Publishes every trade at once, and every aggregate when it is whole."""

    def __init__(self, hub: Hub, scale: Scale, streams: SymbolStreams) -> None:
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
