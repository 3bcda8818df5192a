"""The streams of one symbol's trades, single and aggregated."""

from __future__ import annotations

import msgspec

from millrace_simulator.binance.streams import events
from millrace_simulator.binance.streams.hub import Hub
from millrace_simulator.binance.streams.names import SymbolStreams
from millrace_simulator.binance.streams.times import TimeUnit
from millrace_simulator.venue import AggregateTrade, PublicTrade, Scale


class TradeFeed:
    """Publishes every trade at once, and every aggregate when it is whole."""

    def __init__(self, hub: Hub, scale: Scale, streams: SymbolStreams) -> None:
        self._hub = hub
        self._scale = scale
        self._streams = streams
        self._growing: AggregateTrade | None = None

    def trade(self, trade: PublicTrade) -> None:
        """Take in the next trade."""
        if self._hub.wanted(self._streams.trade):
            self._hub.publish(self._streams.trade, lambda unit: events.trade(trade, self._scale, unit))
        if self._hub.wanted(self._streams.aggregate_trade):
            self._aggregate(trade)

    def end_of_action(self) -> None:
        """Publish the aggregate that has been growing: what the taker did is done."""
        aggregate, self._growing = self._growing, None
        if aggregate is None:
            return
        whole = aggregate

        def render(unit: TimeUnit) -> bytes:
            return events.aggregate_trade(whole, self._scale, unit)

        self._hub.publish(self._streams.aggregate_trade, render)

    def _aggregate(self, trade: PublicTrade) -> None:
        growing = self._growing
        if growing is not None and growing.aggregate_id == trade.aggregate_id:
            self._growing = msgspec.structs.replace(
                growing, quantity=growing.quantity + trade.quantity, last_trade_id=trade.trade_id
            )
            return
        self.end_of_action()
        self._growing = AggregateTrade(
            symbol=trade.symbol,
            aggregate_id=trade.aggregate_id,
            price=trade.price,
            quantity=trade.quantity,
            first_trade_id=trade.trade_id,
            last_trade_id=trade.trade_id,
            buyer_is_maker=trade.buyer_is_maker,
            time_us=trade.time_us,
        )
