"""The executor's ledger: what it is about to do, is doing, or could not settle, by request id."""

from millrace_core.ids import RequestId
from millrace_core.names import ExchangeId, Tenant


class Intents:
    """The ledger of every account; reached as `bus.intents`. Every call waits out an outage of Redis."""

    async def claim(self, tenant: Tenant, exchange: ExchangeId, request_id: RequestId, intent: bytes) -> bytes | None:
        """Write an intent unless the request has one; None if it is claimed now, else what is there.

        Atomic. The very same bytes count as one's own claim, since a claim whose answer was lost is tried again:
        whoever claims puts something of its own into them.
        """
        raise NotImplementedError

    async def settle(self, tenant: Tenant, exchange: ExchangeId, request_id: RequestId, intent: bytes) -> None:
        """Write what became of it, over what is there."""
        raise NotImplementedError

    async def get(self, tenant: Tenant, exchange: ExchangeId, request_id: RequestId) -> bytes | None:
        """Give what is written for a request; None where nothing is."""
        raise NotImplementedError

    async def all(self, tenant: Tenant, exchange: ExchangeId) -> dict[RequestId, bytes]:
        """Give everything that is written for an account."""
        raise NotImplementedError

    async def remove(self, tenant: Tenant, exchange: ExchangeId, *request_ids: RequestId) -> None:
        """Forget requests."""
        raise NotImplementedError
