"""The executor's intents by request id: pending, unknown, settled. Only the holder of the lease writes them."""

from collections.abc import Iterable
from typing import Final

from millrace_bus.connection.calls import Calls
from millrace_bus.connection.script import Script
from millrace_bus.requests.lease import RENEWING, Fence
from millrace_core.ids import RequestId
from millrace_core.names import ExchangeId, Tenant, intents_key, lease_key

_CLAIM: Final = Script.of(f"""
{RENEWING}
local is_empty = redis.call('EXISTS', KEYS[2]) == 0
local present = redis.call('HGET', KEYS[2], ARGV[2])
if present then return present ~= ARGV[3] and present end
for at = 3, #KEYS do
  present = redis.pcall('HGET', KEYS[at], ARGV[2])
  if type(present) == 'string' then return present end
end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
if ARGV[4] == '0' then
  redis.call('PERSIST', KEYS[2])
elseif is_empty then
  redis.call('PEXPIRE', KEYS[2], ARGV[4])
end
return false
""")
_SETTLE: Final = Script.of(f"""
{RENEWING}
redis.call('HSET', KEYS[2], unpack(ARGV, 2))
""")
_MOST_AT_ONCE: Final = 1_000
"""Intents that one script writes: Lua passes a limited number of values."""


class Intents:
    """The intents of every account; reached as `bus.intents`. Every call waits out an outage of Redis.

    Writing renews the lease. All that write raise `CommandRefused` with the code `FENCED` if the lease is another's.
    """

    def __init__(self, calls: Calls) -> None:
        self._call, self._run = calls.call, calls.run

    async def claim(
        self,
        fence: Fence,
        exchange: ExchangeId,
        request_id: RequestId,
        intent: bytes,
        *,
        others: Iterable[ExchangeId] = (),
        expires_ms: int = 0,
    ) -> bytes | None:
        """Write an intent unless the request has one, here or in one of the `others`; return None if it was written.

        Else return the one that is stored. Atomic. Identical bytes count as the caller's own claim, because a claim is
        repeated if its answer was lost. So callers must make their bytes unique. A ledger that this claim begins is
        forgotten after `expires_ms`, unless a claim without it comes first.
        """
        elsewhere = [intents_key(fence.tenant, each) for each in others]
        stored: bytes | None = await self._run(
            _CLAIM, [*self._keys(fence, exchange), *elsewhere], fence.token, request_id, intent, expires_ms
        )
        return stored

    async def settle(self, fence: Fence, exchange: ExchangeId, *intents: tuple[RequestId, bytes]) -> None:
        """Replace intents by their new state."""
        for first in range(0, len(intents), _MOST_AT_ONCE):
            parts = [part for intent in intents[first : first + _MOST_AT_ONCE] for part in intent]
            await self._run(_SETTLE, self._keys(fence, exchange), fence.token, *parts)

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

    def _keys(self, fence: Fence, exchange: ExchangeId) -> tuple[str, str]:
        return lease_key(fence.tenant), intents_key(fence.tenant, exchange)
