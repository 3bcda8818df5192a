"""An exchange's execution client that sends nothing once another executor may act for the tenant."""

from collections.abc import Awaitable, Callable

from millrace_core.messages import RequestError, Response
from millrace_core.requests import CancelAllPayload, CancelPayload, CreatePayload, EditPayload
from millrace_exchange import Acknowledgement, ExecutionClient, Rejected, guarded
from millrace_executor.lease.tenure import Tenure


class Stopped(Rejected):
    """A request was not sent, since it must not be sent any more; `answer` says why."""

    def __init__(self, answer: Response, exchange: str, action: str) -> None:
        error = answer.error or RequestError("Halted", "it must not be sent any more")
        super().__init__(error.message, exchange=exchange, action=action, kind=error.kind)
        self.answer = answer


Check = Callable[[bool], None]
"""Raises `Stopped` if a request must not be sent any more; True if nothing of it was sent yet."""


class _Guard:
    """Asked before each call that carries out one request: is the lease sure, and is the request still wanted?"""

    def __init__(self, tenure: Tenure, check: Check) -> None:
        self._tenure = tenure
        self._check = check
        self._is_first = True

    def is_sure(self) -> bool:
        """Tell whether nobody else can have the lease at this moment."""
        return self._tenure.is_sure()

    async def assure(self) -> None:
        """Return once the lease is sure, which may take an outage of Redis, if the request is still wanted then."""
        await self._tenure.assure()
        self._check(self._is_first)
        self._is_first = False


def _always(is_first: bool) -> None:
    """Let everything be sent: a cancel."""


class LeasedExecution:
    """Changes an account's orders under a lease; every method raises `LeaseLost` if another executor has it.

    Whatever passed since the claim, a freeze or a limit that was waited out, the lease is sure when a request is sent:
    each one, also where a change takes several. It is looked at before, and again once the request is signed: from then
    on the exchange itself refuses one that comes late.
    """

    def __init__(self, client: ExecutionClient, tenure: Tenure) -> None:
        self._client = client
        self._tenure = tenure

    async def create_order(
        self, payload: CreatePayload, client_order_id: str, check: Check = _always
    ) -> Acknowledgement:
        """Place an order under our own id."""
        return await self._send(lambda: self._client.create_order(payload, client_order_id), check)

    async def cancel_order(self, payload: CancelPayload) -> Acknowledgement:
        """Cancel an order."""
        return await self._send(lambda: self._client.cancel_order(payload))

    async def edit_order(self, payload: EditPayload, client_order_id: str, check: Check = _always) -> Acknowledgement:
        """Change an open order."""
        return await self._send(lambda: self._client.edit_order(payload, client_order_id), check)

    async def cancel_all_orders(self, payload: CancelAllPayload) -> Acknowledgement:
        """Cancel the open orders of a symbol, or all."""
        return await self._send(lambda: self._client.cancel_all_orders(payload))

    async def _send(self, call: Callable[[], Awaitable[Acknowledgement]], check: Check = _always) -> Acknowledgement:
        with guarded(_Guard(self._tenure, check)):
            return await call()
