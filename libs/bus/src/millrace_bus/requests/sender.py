"""Publishing requests to trade. See docs/protocol.md, "Requests to trade"."""

import asyncio
import logging
from collections import deque
from dataclasses import dataclass
from typing import Any

import msgspec

from millrace_bus.connection.connection import Wire
from millrace_bus.connection.outbox import Outbox
from millrace_bus.errors import Disconnected, Refused
from millrace_bus.writing.publish_commands import Faces
from millrace_bus.writing.ring import KEPT_NS
from millrace_core.clock import now_ms, now_ns
from millrace_core.ids import RequestId, new_request_id
from millrace_core.messages import encode
from millrace_core.names import Tenant, trader_actions
from millrace_core.requests import Request

RETENTION = 10_000
"""Entries of a tenant's journal of requests."""
_KEPT = 10_000
_log = logging.getLogger("millrace.bus")


@dataclass(slots=True)
class _Sent:
    """One request that was handed in, until it is certain that Redis will not lose it."""

    message: bytes
    at_ns: int
    taken: "asyncio.Future[None] | None"
    entry_id: bytes | None = None
    """Its entry, once Redis has acknowledged it."""


class _Tenant:
    """The requests of one tenant on their way out."""

    def __init__(self, tenant: Tenant) -> None:
        self.key = trader_actions(tenant)
        self.faces = Faces(self.key, retention=RETENTION)
        self.sent: deque[_Sent] = deque(maxlen=_KEPT)

    def forget(self, now: int) -> None:
        """Keep no longer what Redis has had on its disk for long."""
        sent = self.sent
        while sent and sent[0].entry_id is not None and now - sent[0].at_ns > KEPT_NS:
            sent.popleft()

    async def lost(self, wire: Wire) -> list[_Sent]:
        """Return what the journal lacks of what is kept, in order.

        Raises:
            Disconnected: the connection ended first.
        """
        taken = [sent.entry_id for sent in self.sent if sent.entry_id is not None]
        present: set[bytes] = set()
        if taken:
            try:
                found = await wire.call("XRANGE", self.key, taken[0], taken[-1])
                present = {entry_id for entry_id, _ in found}
            except Refused as refused:
                _log.error("%s: what was sent before the outage cannot be verified: %s", self.key, refused)
                present = set(taken)
        return [sent for sent in self.sent if sent.entry_id not in present]


class Requests:
    """Writes requests on `{tenant}.traderActions`; reached as `bus.requests`."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._tenants: dict[Tenant, _Tenant] = {}

    def publish(self, tenant: Tenant, request: Request) -> RequestId:
        """Publish a request without waiting; give its id, made here where it has none.

        It goes out with all that this turn of the event loop produced. During an outage it is kept, and sent
        when Redis is back: what Redis lost meanwhile is sent again (the executor knows it by its id).
        """
        return self._publish(tenant, request, None)

    async def send(self, tenant: Tenant, request: Request) -> RequestId:
        """Publish a request and wait until Redis has it in the journal; give its id.

        Raises:
            Refused: Redis does not take it.
        """
        taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        request_id = self._publish(tenant, request, taken)
        await taken
        return request_id

    async def settled(self) -> None:
        """Wait until Redis has everything that was handed in so far."""
        waiting = []
        for tenant in self._tenants.values():
            for sent in tenant.sent:
                if sent.entry_id is None:
                    sent.taken = sent.taken or asyncio.get_running_loop().create_future()
                    waiting.append(sent.taken)
        await asyncio.gather(*waiting, return_exceptions=True)

    async def meet(self, wire: Wire) -> "list[tuple[_Tenant, _Sent]]":
        """Find out what Redis lacks, on a new connection; hand that to `again`.

        Raises:
            Disconnected: the connection ended first.
        """
        return [(tenant, sent) for tenant in self._tenants.values() for sent in await tenant.lost(wire)]

    def again(self, lost: "list[tuple[_Tenant, _Sent]]") -> None:
        """Send again what was lost, now that the outbox is up."""
        for tenant, sent in lost:
            sent.entry_id = None
            self._put(tenant, sent)

    def _publish(self, tenant: Tenant, request: Request, taken: "asyncio.Future[None] | None") -> RequestId:
        request_id = RequestId(request.request_id or new_request_id())
        # The validity counts from here, not from when an outage ends.
        requested_at = now_ms() if request.requested_at is None else request.requested_at
        whole = msgspec.structs.replace(request, request_id=request_id, requested_at=requested_at, journaled=True)
        sent = _Sent(encode(whole), now_ns(), taken)
        out = self._tenants.get(tenant) or self._tenants.setdefault(tenant, _Tenant(tenant))
        out.forget(sent.at_ns)
        out.sent.append(sent)
        self._put(out, sent)
        return request_id

    def _put(self, tenant: _Tenant, sent: _Sent) -> None:
        def take(reply: Any) -> None:
            if isinstance(reply, Disconnected):
                return
            if isinstance(reply, Refused):
                self._refuse(tenant, sent, reply)
                return
            sent.entry_id = reply
            if sent.taken is not None and not sent.taken.done():
                sent.taken.set_result(None)

        self._outbox.put(tenant.faces.write("*", sent.message), (take, None))

    def _refuse(self, tenant: _Tenant, sent: _Sent, refused: Refused) -> None:
        _log.error("%s: Redis does not take a request: %s", tenant.key, refused)
        if sent in tenant.sent:
            tenant.sent.remove(sent)
        if sent.taken is not None and not sent.taken.done():
            sent.taken.set_exception(refused)
