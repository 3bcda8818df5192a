"""Reports about orders and own trades: what they say of the strategy's own becomes its state first, then its events."""

from collections.abc import Callable, Iterable
from typing import Any

from msgspec.structs import replace

from millrace_core.clock import NS_PER_MS
from millrace_core.market import Trade
from millrace_core.messages import Response
from millrace_core.names import Action, ExchangeId, Symbol
from millrace_core.orders import Order, OrderRecord
from millrace_core.trace import NO_TRACE, Trace
from millrace_strategy.events import Event, FillEvent, OrderEvent
from millrace_strategy.host import Host
from millrace_strategy.orders import OrderChange, StrategyOrders
from millrace_strategy.positions import PositionChange, StrategyPositions


class OrderReports:
    """Joins reports into orders and positions; `offer` is called with events, `counted` when a fill was counted."""

    def __init__(
        self,
        orders: StrategyOrders,
        positions: StrategyPositions,
        host: Host,
        *,
        offer: Callable[[Any], None],
        counted: Callable[[], None],
    ) -> None:
        self._orders, self._positions, self._host = orders, positions, host
        self._offer: Callable[[Event], None] = offer
        self._counted = counted
        self._new_fills: list[PositionChange] = []

    def earlier(self, record: OrderRecord) -> None:
        """Take an order of an earlier run. What it has filled beyond what was counted is no event."""
        change = self._orders.learn(record)
        if change is not None and self._positions.take_order(change.order):
            self._counted()

    def found(self, record: OrderRecord, timestamp: int | None, trace: Trace) -> None:
        """Take a report about an order; it is looked up if its source is not known yet."""
        if (change := self._learn(record)) is not None:
            self._offer_change(change, timestamp, trace)

    def of_account(
        self, exchange: ExchangeId, symbol: Symbol | None, orders: Iterable[Order], timestamp: int | None, trace: Trace
    ) -> None:
        """Take orders that changed, of whatever source."""
        for order in orders:
            self.found(self._record(exchange, symbol, order), timestamp, trace)

    def all_open(self, exchange: ExchangeId, symbol: Symbol | None, orders: Iterable[Order]) -> None:
        """Take all open orders; others that are known as open are looked up."""
        records = [self._record(exchange, symbol, order) for order in orders]
        for record in records:
            self.found(record, None, NO_TRACE)
        listed = {record.key for record in records}
        for order in self._orders.open:
            if order.key not in listed and order.exchange == exchange and symbol in (None, order.symbol):
                self._host.look_up(exchange, Symbol(order.symbol), order.id)

    def answered(
        self, exchange: ExchangeId, action: Action, symbol: Symbol | None, response: Response
    ) -> list[OrderChange]:
        """Take the orders of an answer; return the changes, whose events come after the answer's own."""
        records = [self._record(exchange, symbol, order) for order in response.orders or ()]
        if response.order is not None:
            records.append(self._answered(action, self._record(exchange, symbol, response.order), response))
        return [change for record in records if (change := self._learn(record)) is not None]

    def offer_changes(self, changes: Iterable[OrderChange], timestamp: int | None) -> None:
        """Offer the events of changes. An answer's trace is its request's, and goes on in none of them."""
        for change in changes:
            self._offer_change(change, timestamp, NO_TRACE)

    def own_trades(self, exchange: ExchangeId, symbol: Symbol, trades: Iterable[Trade]) -> list[PositionChange]:
        """Take own trades of the account; return the fills among them, still to be offered."""
        return self._positions.take_trades(exchange, symbol, trades)

    def offer_fills(self, changes: Iterable[PositionChange], trace: Trace) -> None:
        """Offer the events of fills."""
        for fill, position in changes:
            self._counted()
            self._offer(FillEvent(fill=fill, position=position, timestamp=fill.timestamp, trace=trace))

    def _answered(self, action: Action, record: OrderRecord, response: Response) -> OrderRecord:
        if action == "createOrder":
            return replace(record, order_source=response.order_source, request_id=response.request_id)
        if action == "editOrder" and self._orders.expects(response.request_id):
            # The order that replaces ours is ours. Any other is looked up: the answer names the source of the edit.
            return replace(record, order_source=response.order_source)
        return record

    def _learn(self, record: OrderRecord) -> OrderChange | None:
        change = self._orders.learn(record)
        if change is not None:
            self._new_fills += self._positions.take_order(change.order)
        if record.key is None or self._orders.is_undecided(record.key):
            symbol = record.order.symbol
            known = None if symbol is None else Symbol(symbol)
            self._host.look_up(ExchangeId(record.exchange), known, record.order.id)
        return change

    def _offer_change(self, change: OrderChange, timestamp: int | None, trace: Trace) -> None:
        order, exchange = change.order, ExchangeId(change.order.exchange)
        event = OrderEvent(exchange=exchange, order=order, previous=change.previous, timestamp=timestamp, trace=trace)
        self._offer(event)
        fills, self._new_fills = self._new_fills, []
        self.offer_fills(fills, trace)

    def _record(self, exchange: ExchangeId, symbol: Symbol | None, order: Order) -> OrderRecord:
        """Return a record of an order; a stream of one symbol says which it is if the order does not."""
        if order.symbol is None and symbol is not None:
            order = replace(order, symbol=symbol)
        return OrderRecord(order=order, exchange=exchange, updated=self._host.now_ns() // NS_PER_MS)
