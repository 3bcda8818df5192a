"""The executor's intents: what it is about to do, is doing, or could not settle, by request id."""

from millrace_bus.connection.calls import Calls
from millrace_core.ids import RequestId
from millrace_core.names import ExchangeId, Tenant, intents_key


class Intents:
    """The intents of every account; reached as `bus.intents`. Every call waits out an outage of Redis."""

    def __init__(self, calls: Calls) -> None:
        self._call = calls.call

    async def claim(self, tenant: Tenant, exchange: ExchangeId, request_id: RequestId, intent: bytes) -> bytes | None:
        """Write an intent unless the request has one; None if it is claimed now, else what is there.

        Atomic. The very same bytes count as the caller's own claim, since a claim whose answer was lost is tried
        again: a caller puts something of its own into them.
        """
        key = intents_key(tenant, exchange)
        while True:
            if await self._call("HSETNX", key, request_id, intent):
                return None
            present: bytes | None = await self._call("HGET", key, request_id)
            if present is not None:
                return None if present == intent else present
            # It was removed between the two: the claim may succeed now.

    async def settle(self, tenant: Tenant, exchange: ExchangeId, request_id: RequestId, intent: bytes) -> None:
        """Write what became of it, over what is there."""
        await self._call("HSET", intents_key(tenant, exchange), request_id, intent)

    async def get(self, tenant: Tenant, exchange: ExchangeId, request_id: RequestId) -> bytes | None:
        """Return what is written for a request; None where nothing is."""
        intent: bytes | None = await self._call("HGET", intents_key(tenant, exchange), request_id)
        return intent

    async def all(self, tenant: Tenant, exchange: ExchangeId) -> dict[RequestId, bytes]:
        """Return everything that is written for an account."""
        found: dict[bytes, bytes] = await self._call("HGETALL", intents_key(tenant, exchange))
        return {RequestId(request_id.decode(errors="replace")): intent for request_id, intent in found.items()}

    async def remove(self, tenant: Tenant, exchange: ExchangeId, *request_ids: RequestId) -> None:
        """Forget requests."""
        if request_ids:
            await self._call("HDEL", intents_key(tenant, exchange), *request_ids)
