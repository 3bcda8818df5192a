"""An exchange's execution client that sends nothing once another executor may act for the tenant."""

from collections.abc import Awaitable, Callable

from millrace_core.requests import CancelAllPayload, CancelPayload, CreatePayload, EditPayload
from millrace_exchange import Acknowledgement, ExecutionClient, guarded
from millrace_executor.lease.tenure import Tenure


class LeasedExecution:
    """Changes an account's orders under a lease; every method raises `LeaseLost` if another executor has it.

    Whatever passed since the claim, a freeze or a limit that was waited out, the lease is sure when a request is sent:
    each one, also where a change takes several. It is looked at before, and again once the request is signed: from then
    on the exchange itself refuses one that comes late.
    """

    def __init__(self, client: ExecutionClient, tenure: Tenure) -> None:
        self._client = client
        self._tenure = tenure

    async def create_order(self, payload: CreatePayload, client_order_id: str) -> Acknowledgement:
        """Place an order under our own id."""
        return await self._send(lambda: self._client.create_order(payload, client_order_id))

    async def cancel_order(self, payload: CancelPayload) -> Acknowledgement:
        """Cancel an order."""
        return await self._send(lambda: self._client.cancel_order(payload))

    async def edit_order(self, payload: EditPayload, client_order_id: str) -> Acknowledgement:
        """Change an open order."""
        return await self._send(lambda: self._client.edit_order(payload, client_order_id))

    async def cancel_all_orders(self, payload: CancelAllPayload) -> Acknowledgement:
        """Cancel the open orders of a symbol, or all."""
        return await self._send(lambda: self._client.cancel_all_orders(payload))

    async def _send(self, call: Callable[[], Awaitable[Acknowledgement]]) -> Acknowledgement:
        with guarded(self._tenure):
            return await call()
