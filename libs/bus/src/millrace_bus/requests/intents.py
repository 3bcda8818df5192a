"""The executor's intents by request id: pending, unknown, settled."""

from millrace_bus.connection.calls import Calls
from millrace_core.ids import RequestId
from millrace_core.names import ExchangeId, Tenant, intents_key


class Intents:
    """The intents of every account; reached as `bus.intents`. Every call waits out an outage of Redis."""

    def __init__(self, calls: Calls) -> None:
        self._call = calls.call

    async def claim(self, tenant: Tenant, exchange: ExchangeId, request_id: RequestId, intent: bytes) -> bytes | None:
        """Write an intent unless the request has one; return None if it was written, else the stored one.

        Atomic. Identical bytes count as the caller's own claim, because a claim is repeated if its answer was lost. So
        callers must make their bytes unique.
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
        """Replace an intent by its new state."""
        await self._call("HSET", intents_key(tenant, exchange), request_id, intent)

    async def get(self, tenant: Tenant, exchange: ExchangeId, request_id: RequestId) -> bytes | None:
        """Return a request's intent, or None."""
        intent: bytes | None = await self._call("HGET", intents_key(tenant, exchange), request_id)
        return intent

    async def all(self, tenant: Tenant, exchange: ExchangeId) -> dict[RequestId, bytes]:
        """Return all intents of an account."""
        found: dict[bytes, bytes] = await self._call("HGETALL", intents_key(tenant, exchange))
        return {RequestId(request_id.decode(errors="replace")): intent for request_id, intent in found.items()}

    async def remove(self, tenant: Tenant, exchange: ExchangeId, *request_ids: RequestId) -> None:
        """Forget requests."""
        if request_ids:
            await self._call("HDEL", intents_key(tenant, exchange), *request_ids)
