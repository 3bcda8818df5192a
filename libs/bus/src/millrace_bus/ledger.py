"""The executor's ledger: what it is about to do, is doing, or could not settle, by request id."""

from millrace_bus.control import Control
from millrace_core.ids import RequestId
from millrace_core.names import ExchangeId, Tenant, intents_key


class Intents:
    """The ledger of every account; reached as `bus.intents`. Every call waits out an outage of Redis."""

    def __init__(self, redis: Control) -> None:
        self._redis = redis

    async def claim(self, tenant: Tenant, exchange: ExchangeId, request_id: RequestId, intent: bytes) -> bytes | None:
        """Write an intent unless the request has one; None if it is claimed now, else what is there.

        Atomic. The very same bytes count as one's own claim, since a claim whose answer was lost is tried again:
        whoever claims puts something of its own into them.
        """
        key = intents_key(tenant, exchange)
        while True:
            if await self._redis.hsetnx(key, request_id, intent):
                return None
            present = await self._redis.hget(key, request_id)
            if present is not None:
                return None if present == intent else present
            # It was removed between the two: the claim may succeed now.

    async def settle(self, tenant: Tenant, exchange: ExchangeId, request_id: RequestId, intent: bytes) -> None:
        """Write what became of it, over what is there."""
        await self._redis.hset(intents_key(tenant, exchange), request_id, intent)

    async def get(self, tenant: Tenant, exchange: ExchangeId, request_id: RequestId) -> bytes | None:
        """Give what is written for a request; None where nothing is."""
        return await self._redis.hget(intents_key(tenant, exchange), request_id)

    async def all(self, tenant: Tenant, exchange: ExchangeId) -> dict[RequestId, bytes]:
        """Give everything that is written for an account."""
        found = await self._redis.hgetall(intents_key(tenant, exchange))
        return {RequestId(request_id.decode()): intent for request_id, intent in found.items()}

    async def remove(self, tenant: Tenant, exchange: ExchangeId, *request_ids: RequestId) -> None:
        """Forget requests."""
        if request_ids:
            await self._redis.hdel(intents_key(tenant, exchange), *request_ids)
