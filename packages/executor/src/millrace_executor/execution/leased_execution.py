"""An exchange's execution client that sends nothing once another executor may act for the tenant."""

from collections.abc import Awaitable, Callable

from millrace_core.requests import CancelAllPayload, CancelPayload, CreatePayload, EditPayload
from millrace_exchange import Acknowledgement
from millrace_exchange.ports import ExecutionClient

MayAct = Callable[[], Awaitable[None]]
"""Returns if nobody else can hold the tenant's lease at this moment, else raises `LeaseLost`."""


class LeasedExecution:
    """Changes an account's orders. Whatever passed since the claim, the lease is sure when the request is sent.

    A process that waited out a limit, or was frozen, after it claimed a request finds here that it lost the lease.
    """

    def __init__(self, client: ExecutionClient, may_act: MayAct) -> None:
        self._client = client
        self._may_act = may_act

    async def create_order(self, payload: CreatePayload, client_order_id: str) -> Acknowledgement:
        """Place an order under our own id."""
        await self._may_act()
        return await self._client.create_order(payload, client_order_id)

    async def cancel_order(self, payload: CancelPayload) -> Acknowledgement:
        """Cancel an order."""
        await self._may_act()
        return await self._client.cancel_order(payload)

    async def edit_order(self, payload: EditPayload, client_order_id: str) -> Acknowledgement:
        """Change an open order."""
        await self._may_act()
        return await self._client.edit_order(payload, client_order_id)

    async def cancel_all_orders(self, payload: CancelAllPayload) -> Acknowledgement:
        """Cancel the open orders of a symbol, or all."""
        await self._may_act()
        return await self._client.cancel_all_orders(payload)
