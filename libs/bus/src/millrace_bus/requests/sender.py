"""Publishes requests to trade. See docs/protocol.md, "Requests to trade"."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from millrace_bus.connection.connection import Connection, pack, pack_all
from millrace_bus.connection.outbox import Outbox
from millrace_bus.connection.script import MISSING, Script
from millrace_bus.errors import BusError, CommandRefused, Disconnected, MessageTooLarge, RequestExpired, TooManyRequests
from millrace_bus.reading.journal_index import REGISTER_EVERY_S, registering
from millrace_bus.writing.resend_buffer import KEPT_NS
from millrace_core.clock import now_ms
from millrace_core.ids import RequestId, new_request_id
from millrace_core.messages import encode
from millrace_core.names import Tenant, trader_actions
from millrace_core.requests import LARGEST_REQUEST, Request

GROUP = "executor"
"""The consumer group of executors."""
RETENTION = 10_000
"""Entries that a tenant's journal of requests keeps after they were acknowledged, for those that only read it."""
CAPACITY = 20_000
"""Entries that it holds at most: unacknowledged ones are never dropped, so further ones are refused."""
FULL = "FULL"
"""Code of Redis's answer to a request for which there is no room."""
MOST_KEPT = 10_000
"""Requests of a tenant that are kept; while so many are not acknowledged, further ones are refused."""

_REPLY_S = 1.0
_TRIMMED = 100
"""Entries that one request may trim at most."""
_ADD = Script.of(f"""
if redis.call('XLEN', KEYS[1]) >= ARGV[2] + {_TRIMMED} then
  for _, group in ipairs(redis.pcall('XINFO', 'GROUPS', KEYS[1])) do
    local values = {{}}
    for at = 1, #group, 2 do values[group[at]] = group[at + 1] end
    if values['name'] == '{GROUP}' then
      local pending = redis.call('XPENDING', KEYS[1], '{GROUP}')
      redis.call('XTRIM', KEYS[1], 'MINID', '~', pending[2] or values['last-delivered-id'], 'LIMIT', {_TRIMMED})
    end
  end
end
if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[3]) then
  return redis.error_reply('{FULL} ' .. KEYS[1] .. ' holds ' .. ARGV[3] .. ' requests that no executor has '
    .. 'acknowledged: nothing more is taken until one has')
end
local id = redis.call('XADD', KEYS[1], '*', 'data', ARGV[1])
redis.call('PUBLISH', KEYS[1], ARGV[1])
return id
""")
"""Adds a request unless the journal is full. It trims what the group has acknowledged, and nothing that it has not."""

OnLost = Callable[[RequestId, BusError], None]
"""Called when Redis did not accept a request: `RequestExpired` or `CommandRefused`. No answer to it will come."""

_log = logging.getLogger("millrace.bus")


@dataclass(slots=True, eq=False)
class _Sent:
    """One published request, kept until Redis cannot lose it any more."""

    request_id: RequestId
    message: bytes
    at_ns: int
    """By the monotonic clock."""
    on_lost: OnLost | None = None
    taken: "asyncio.Future[None] | None" = None
    """Done once Redis has acknowledged it, or it is given up."""
    expiry: asyncio.TimerHandle | None = None
    """Timer that gives it up when its validity ends."""
    entry_id: bytes | None = None
    """Its entry, once Redis has acknowledged it."""
    is_given_up: bool = False

    def finish(self, error: BusError | None = None) -> None:
        """Resolve all waiters: acknowledged, or given up."""
        if self.expiry is not None:
            self.expiry.cancel()
        if self.taken is not None and not self.taken.done():
            if error is None:
                self.taken.set_result(None)
            else:
                self.taken.set_exception(error)
        if error is not None and self.on_lost is not None:
            self.on_lost(self.request_id, error)


class _Tenant:
    """The requests of one tenant on their way out."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self.key = trader_actions(tenant)
        self.sent: deque[_Sent] = deque()
        self.registered_at = float("-inf")

    def make_room(self, now: int, *, is_connected: bool) -> None:
        """Forget requests that Redis has had on disk for long; none during an outage, since Redis may lose them.

        Raises:
            TooManyRequests: all that may be kept are waiting for Redis.
        """
        sent = self.sent
        while is_connected and sent and sent[0].entry_id is not None and now - sent[0].at_ns > KEPT_NS:
            sent.popleft()
        if len(sent) < MOST_KEPT:
            return
        if sent[0].entry_id is None:
            raise TooManyRequests(self.tenant, MOST_KEPT)
        sent.popleft()

    async def lost(self, connection: Connection) -> list[_Sent]:
        """Return the kept requests that the journal lacks, in order.

        Raises:
            Disconnected: the connection ended first.
        """
        taken = [sent.entry_id for sent in self.sent if sent.entry_id is not None]
        present: set[bytes] = set()
        if taken:
            try:
                found = await connection.call("XRANGE", self.key, taken[0], taken[-1])
                present = {entry_id for entry_id, _ in found}
            except CommandRefused as refused:
                _log.error("%s: cannot verify requests sent before the outage: %s", self.key, refused)
                present = set(taken)
        return [sent for sent in self.sent if sent.entry_id not in present]


class Requests:
    """Writes requests on `{tenant}.traderActions`; reached as `bus.requests`."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._loop = asyncio.get_running_loop()
        self._tenants: dict[Tenant, _Tenant] = {}

    def publish(self, tenant: Tenant, request: Request, *, on_lost: OnLost | None = None) -> RequestId:
        """Publish a request without waiting; return its id, which is made here if it has none.

        It is sent with everything else from this turn of the event loop. During an outage it is kept, and sent when
        Redis is back, unless its validity ends first: then it is given up, and `on_lost` is called. A request that
        Redis acknowledged and lost is sent again (the executor recognises its id).

        Raises:
            TooManyRequests: 10,000 of the tenant's requests wait for Redis; this one was not sent.
            MessageTooLarge: it has more than 65,536 bytes; it was not sent.
        """
        return self._publish(tenant, request, on_lost, None)

    async def send(self, tenant: Tenant, request: Request) -> RequestId:
        """Publish a request and wait until Redis has it in the journal; return its id.

        Raises:
            CommandRefused: Redis refused it.
            RequestExpired: Redis did not acknowledge it while it was valid.
            TooManyRequests: 10,000 of the tenant's requests wait for Redis; this one was not sent.
            MessageTooLarge: it has more than 65,536 bytes; it was not sent.
        """
        taken: asyncio.Future[None] = self._loop.create_future()
        request_id = self._publish(tenant, request, None, taken)
        await taken
        return request_id

    async def all_acknowledged(self) -> None:
        """Wait until Redis has all requests published so far that are still valid."""
        waiting = []
        for tenant in self._tenants.values():
            for sent in tenant.sent:
                if sent.entry_id is None:
                    sent.taken = sent.taken or self._loop.create_future()
                    waiting.append(sent.taken)
        await asyncio.gather(*waiting, return_exceptions=True)

    async def meet(self, connection: Connection) -> "list[tuple[_Tenant, _Sent]]":
        """Find out, on a new connection, which requests Redis lacks; they are for `again`.

        Raises:
            Disconnected: the connection ended first.
        """
        return [(tenant, sent) for tenant in self._tenants.values() for sent in await tenant.lost(connection)]

    def again(self, lost: "list[tuple[_Tenant, _Sent]]") -> None:
        """Send the lost requests again, now that the outbox is up."""
        for tenant in self._tenants.values():
            self._register(tenant)
        for tenant, sent in lost:
            # Its validity may have ended while the journal was read.
            if not sent.is_given_up:
                sent.entry_id = None
                self._put(tenant, sent)

    def close(self) -> None:
        """Abandon the requests that Redis has not acknowledged, because the bus is closed."""
        for tenant in self._tenants.values():
            for sent in tenant.sent:
                if sent.expiry is not None:
                    sent.expiry.cancel()

    def _publish(
        self, tenant: Tenant, request: Request, on_lost: OnLost | None, taken: "asyncio.Future[None] | None"
    ) -> RequestId:
        request_id = RequestId(request.request_id or new_request_id())
        # The validity counts from here, not from when an outage ends.
        requested_at = now_ms() if request.requested_at is None else request.requested_at
        whole = msgspec.structs.replace(request, request_id=request_id, requested_at=requested_at, journaled=True)
        message = encode(whole)
        if len(message) > LARGEST_REQUEST:
            raise MessageTooLarge(trader_actions(tenant), len(message), LARGEST_REQUEST)
        sent = _Sent(request_id, message, time.monotonic_ns(), on_lost, taken)
        out = self._tenants.get(tenant) or self._tenants.setdefault(tenant, _Tenant(tenant))
        out.make_room(sent.at_ns, is_connected=self._outbox.is_up)
        out.sent.append(sent)
        left_s = max(0, requested_at + whole.valid_for - now_ms()) / 1_000
        sent.expiry = self._loop.call_later(left_s, self._give_up, out, sent)
        if self._loop.time() - out.registered_at > REGISTER_EVERY_S:
            self._register(out)
        self._put(out, sent)
        return request_id

    def _register(self, tenant: _Tenant) -> None:
        if self._outbox.is_up:
            tenant.registered_at = self._loop.time()
            commands = registering(tenant.tenant, tenant.key)
            self._outbox.put(pack_all(commands), [None] * len(commands))

    def _put(self, tenant: _Tenant, sent: _Sent) -> None:
        def take(reply: Any) -> None:
            if isinstance(reply, Disconnected):
                return
            if isinstance(reply, CommandRefused) and reply.code == MISSING:
                self._outbox.reconnect()  # The next connection loads the script, and sends the request again.
                return
            if isinstance(reply, CommandRefused):
                _log.error("%s: Redis rejected a request: %s", tenant.key, reply)
                self._drop(tenant, sent, reply)
                return
            sent.entry_id = reply
            sent.finish()

        self._outbox.load(_ADD)
        self._outbox.put(pack(*_ADD.command([tenant.key], sent.message, RETENTION, CAPACITY)), (take,))

    def _give_up(self, tenant: _Tenant, sent: _Sent) -> None:
        if self._outbox.is_up:
            # Redis has it most likely; its reply, or the end of the connection, comes within seconds.
            sent.expiry = self._loop.call_later(_REPLY_S, self._give_up, tenant, sent)
            return
        expired = RequestExpired(sent.request_id)
        _log.error("%s: %s", tenant.key, expired)
        self._drop(tenant, sent, expired)

    def _drop(self, tenant: _Tenant, sent: _Sent, error: BusError) -> None:
        sent.is_given_up = True
        if sent in tenant.sent:
            tenant.sent.remove(sent)
        sent.finish(error)
