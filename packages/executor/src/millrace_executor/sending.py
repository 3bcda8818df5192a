"""Sending: the one way in which anything reaches the exchange."""

from dataclasses import dataclass

from millrace_core.orders import Order
from millrace_core.requests import CancelAllOrders, CancelOrder, CancelPayload, CreateOrder
from millrace_exchange import ExecutionClient, Rejected
from millrace_executor.risk import Approved
from millrace_executor.sequence import Sequence, Turn

Sendable = Approved | CancelOrder | CancelAllOrders
"""What may be sent: new terms only once risk approved them, cancels always."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What the exchange answered, and when."""

    sent_ns: int
    acknowledged_ns: int
    order: Order | None = None
    orders: list[Order] | None = None
    """Of a request to cancel all: those that were canceled."""


class Sender:
    """Sends one account's requests.

    Raises:
        ExchangeError: from `send`, with its meaning; see `millrace_exchange.errors`.
    """

    def __init__(self, client: ExecutionClient, sequence: Sequence) -> None:
        self._client = client
        self._sequence = sequence

    async def send(self, what: Sendable, client_order_id: str, turn: Turn) -> Sent:
        """Send it, once."""
        if isinstance(what, CancelAllOrders):
            return await self._cancel_all(what, turn)
        if isinstance(what, CancelOrder):
            placed = await self._client.cancel_order(what.payload)
        elif isinstance(what.request, CreateOrder):
            placed = await self._client.create_order(what.request.payload, client_order_id)
        else:
            placed = await self._client.edit_order(what.request.payload, client_order_id)
        return Sent(placed.sent_ns, placed.acknowledged_ns, order=placed.orders[0])

    async def _cancel_all(self, request: CancelAllOrders, turn: Turn) -> Sent:
        """Cancel what is open, at once, and then what was being placed meanwhile, each as soon as it is there."""
        under_way = self._sequence.creations_under_way(request.payload.symbol)
        canceled = await self._client.cancel_all_orders(request.payload)
        turn.end()
        orders = {order.id: order for order in canceled.orders}
        for creation in under_way:
            await creation.ended()
            late = creation.order
            if late is not None and not late.is_final and late.id not in orders and late.symbol is not None:
                orders.update(await self._cancel_late(late.symbol, late.id))
        return Sent(canceled.sent_ns, canceled.acknowledged_ns, orders=list(orders.values()))

    async def _cancel_late(self, symbol: str, order_id: str) -> dict[str, Order]:
        try:
            placed = await self._client.cancel_order(CancelPayload(symbol=symbol, order_id=order_id))
        except Rejected:
            return {}  # It was filled, or went with the rest: there is nothing left to cancel.
        return {order.id: order for order in placed.orders}
