"""The lease that lets one executor at a time act for a tenant. See docs/protocol.md, "One executor at a time".

It is a hash: `token`, `holder`, `until` (ms, the server's clock) and `born`, which tells Redis's data from all that it
had before: when the lease was first written, or one more than the former if that is not larger. A token is larger than
every token before it, also after Redis lost the hash, since it is at least the server's clock in ms. The hash outlives
the lease, and with it the token. No lease lasts longer than from now on: an end beyond that was written before the
server's clock was set back, or by hand.
"""

from typing import Any, Final, NamedTuple

from millrace_bus.connection.calls import Calls
from millrace_bus.connection.script import Script
from millrace_core.names import Tenant, lease_key

LEASE_MS: Final = 2_500
"""How long a lease holds from when it was last renewed."""
FENCED: Final = "FENCED"
"""Code of Redis's answer to a write of an executor that no longer holds the lease."""

_NOW: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""
RENEWING: Final = f"""
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then
  return redis.error_reply('{FENCED} another executor acts for this tenant')
end
{_NOW}
redis.call('HSET', KEYS[1], 'until', string.format('%d', now + {LEASE_MS}))
"""
"""Begins each script that only the holder may run: the lease's key comes first, and so does the token."""

_TAKE: Final = Script.of(f"""
{_NOW}
local token, holder, ends, born = unpack(redis.call('HMGET', KEYS[1], 'token', 'holder', 'until', 'born'))
local mine, known = ARGV[1], tonumber(ARGV[2])
if not token or not born then
  token, born = math.max(known, tonumber(token) or 0), now
  if token == 0 then token = now end
elseif not (holder == mine and tonumber(token) == known) then
  ends = tonumber(ends) or 0
  if ends > now + {LEASE_MS} then
    ends = now + {LEASE_MS}
    redis.call('HSET', KEYS[1], 'until', string.format('%d', ends))
  end
  if ends > now then return {{0, ends - now, tonumber(born), now}} end
  token = math.max(tonumber(token) + 1, now)
end
redis.call('HSET', KEYS[1], 'token', string.format('%d', token), 'holder', mine,
  'until', string.format('%d', now + {LEASE_MS}), 'born', string.format('%d', born))
return {{1, tonumber(token), tonumber(born), now}}
""")
_BEAR: Final = Script.of(f"""
{RENEWING}
redis.call('HSET', KEYS[1], 'born', ARGV[2])
""")
_RELEASE: Final = Script.of("""
if redis.call('HGET', KEYS[1], 'token') == ARGV[1] then redis.call('HSET', KEYS[1], 'until', '0') end
""")


class Fence(NamedTuple):
    """What a write is checked against: the tenant's lease must still have this token."""

    tenant: Tenant
    token: int


class LeaseReply(NamedTuple):
    """Redis's answer to a wish for the lease."""

    token: int | None
    """The token, if the lease is the caller's now; else None."""
    left_ms: int
    """How long another holder's lease lasts; 0 if it is the caller's."""
    born_ms: int
    """When this tenant's lease was first written in Redis's present data."""
    server_ms: int
    """The server's clock."""


class Leases:
    """The leases of every tenant; reached as `bus.leases`. Every call waits out an outage of Redis."""

    def __init__(self, calls: Calls) -> None:
        self._run = calls.run

    async def take(self, tenant: Tenant, holder: str, token: int | None = None) -> LeaseReply:
        """Take a free lease, or renew one's own, which `token` names.

        If Redis lost the lease, the first to ask gets it, and keeps its token.

        Raises:
            CommandRefused: Redis does not write, as when it is out of memory; the lease is whose it was.
        """
        reply: list[Any] = await self._run(_TAKE, [lease_key(tenant)], holder, token or 0)
        is_mine, number, *times = reply
        return LeaseReply(number, 0, *times) if is_mine else LeaseReply(None, number, *times)

    async def number_data(self, fence: Fence, born_ms: int) -> None:
        """Number Redis's present data, in place of the time when the lease was first written.

        Raises:
            CommandRefused: Redis does not write it; with the code `FENCED` if the lease is another's.
        """
        await self._run(_BEAR, [lease_key(fence.tenant)], fence.token, born_ms)

    async def release(self, fence: Fence) -> None:
        """Leave the lease to others at once; do nothing if it is another's."""
        await self._run(_RELEASE, [lease_key(fence.tenant)], fence.token)
