"""Reads requests to trade from a tenant's journal. See docs/protocol.md, "Requests to trade"."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Self

from millrace_bus.connection.calls import Calls
from millrace_bus.connection.connection import Connection, pack_all
from millrace_bus.connection.reconnecting import REFUSED_RETRIES, ReconnectingConnection, RefusalLimit
from millrace_bus.connection.script import Script
from millrace_bus.connection.subscriptions import Subscriptions
from millrace_bus.errors import BusError, CommandRefused, Disconnected, TaskFailed
from millrace_bus.reading.journal_index import REGISTER_EVERY_S, registering
from millrace_bus.reading.journal_page import entry_body
from millrace_bus.requests.sender import CAPACITY, GROUP
from millrace_bus.requests.typed import ORIGIN, TypedRequests
from millrace_bus.tasks import BackgroundTask
from millrace_core.backoff import Backoff
from millrace_core.clock import now_ns
from millrace_core.names import Tenant, trader_actions, unreadable_requests

_GROUP = GROUP.encode()
_PAGE = 100
_BLOCK_MS = 1_000
"""Shorter than the time after which a silent connection is pinged."""
_LOOK_EVERY_S = 1.0
"""How often entries are looked for that another executor took when the lease was no longer its own."""
_MOST_WAITING = 1_000
_SET_ASIDE_KEPT = 1_000
"""Entries that could not be read which are kept for a person to look at."""
_SET_ASIDE_BYTES = 65_536
"""How much of each is kept."""
_LONGEST_TIME = 16
"""Digits; what is longer is no time in ms."""
_FORGET = Script.of("""
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local values = {}
  for at = 1, #consumer, 2 do values[consumer[at]] = consumer[at + 1] end
  if values['pending'] == 0 and values['name'] ~= ARGV[2] then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], values['name'])
  end
end
""")
"""Forgets consumers that are gone. One script: a consumer that takes an entry in between would lose it."""

_log = logging.getLogger("millrace.bus")


class Arrived(NamedTuple):
    """One request as it came, not yet parsed."""

    tenant: Tenant
    raw: bytes | None
    """What was written; None if the entry has no field `data`."""
    entry_id: str | None
    """Its entry in the journal; None if it was typed while Redis did not write."""
    origin: str
    """Names the request if it does not name itself: its entry, or when it was typed."""
    received_ms: int
    """When Redis added it to the journal, or when it was heard on the channel: its validity may count from here."""
    received_ns: int
    """When it was read: `trace.accepted`."""
    was_taken: bool = False
    """Whether it was delivered before, perhaps to an executor that acted on it and ended before it answered."""


class Backlog(NamedTuple):
    """How far a journal of requests is filled."""

    unfinished: int
    """Requests that are not acknowledged, whether they were read or not."""
    capacity: int
    """So many are held; further ones are refused."""


class RequestReader:
    """Asynchronous iterator over the requests of a tenant; made by `Bus.request_reader`.

    There is one at a time: what others took and never finished comes first, each again exactly as it was. What a person
    types on the channel is written to the journal, and comes from there. An entry stays pending until `done`. An
    unforeseen error ends the iteration with `TaskFailed`.
    """

    def __init__(
        self,
        tenant: Tenant,
        consumer: str,
        may_act: Callable[[], Awaitable[None]],
        reconnecting: ReconnectingConnection,
        subscriptions: Subscriptions,
        calls: Calls,
        open_readers: "set[RequestReader]",
    ) -> None:
        self._tenant, self._key = tenant, trader_actions(tenant)
        self._consumer = consumer
        self._reconnecting, self._calls = reconnecting, calls
        self._arrived: asyncio.Queue[Arrived | None] = asyncio.Queue()
        self._room = asyncio.Event()
        self._in_hand: set[str] = set()
        """Entries that were handed out, or are about to be, and are not done: they are not handed out again."""
        self._looked_at = self._registered_at = float("-inf")
        self._error: BusError | None = None
        self._open_readers = open_readers
        """Set of open readers, which the bus closes when it ends."""
        open_readers.add(self)
        self._typed = TypedRequests(self._key, subscriptions, calls, may_act, self._unwritten, self._failed_channel)
        self._task = BackgroundTask(self._read(), f"requests {consumer}", self._failed)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Arrived:
        """Return the next request; ends after `close`.

        Raises:
            TaskFailed: an unforeseen error has ended the reading.
        """
        arrived = await self._arrived.get()
        self._room.set()
        if arrived is None:
            self._arrived.put_nowait(None)
            self._task.check()
            if self._error is not None:
                raise TaskFailed(f"requests {self._consumer}", self._error)
            raise StopAsyncIteration
        return arrived

    async def done(self, arrived: Arrived) -> None:
        """Acknowledge that a request was answered: it will not come again."""
        if arrived.entry_id is None:
            return
        await self._calls.call("XACK", self._key, GROUP, arrived.entry_id)
        self._in_hand.discard(arrived.entry_id)

    async def set_aside(self, arrived: Arrived, reason: str) -> None:
        """Keep the bytes of a request that could not be read or handled, for a person to look at."""
        kept = ("MAXLEN", "~", _SET_ASIDE_KEPT, "*")
        fields = ("entry", arrived.origin, "reason", reason, "data", (arrived.raw or b"")[:_SET_ASIDE_BYTES])
        await self._calls.call("XADD", unreadable_requests(self._tenant), *kept, *fields)

    async def backlog(self) -> Backlog:
        """Return how far the journal is filled with requests that are not acknowledged."""
        try:
            groups = await self._calls.call("XINFO", "GROUPS", self._key)
        except CommandRefused:
            # There is no journal yet, or its key holds something else, which reading reports.
            groups = []
        waiting = [int(group[b"pending"]) + int(group[b"lag"] or 0) for group in groups if group[b"name"] == _GROUP]
        return Backlog(sum(waiting), CAPACITY)

    async def close(self) -> None:
        """Stop reading; the iteration ends. Entries not done stay pending. Closing twice is harmless."""
        await self._typed.close()
        self._open_readers.discard(self)
        await self._task.close()
        await self._reconnecting.close()
        self._arrived.put_nowait(None)

    def _failed(self, failure: TaskFailed) -> None:
        _log.error("%s", failure)
        self._arrived.put_nowait(None)

    def _failed_channel(self, error: BusError) -> None:
        """End the iteration: what is typed on the channel would reach nobody."""
        self._error = error
        self._arrived.put_nowait(None)

    async def _read(self) -> None:
        """Read the journal until closed, through any outage of Redis.

        Raises:
            CommandRefused: Redis refuses permanently to read it.
        """
        pauses, limit = Backoff(REFUSED_RETRIES), RefusalLimit()
        while True:
            connection = await self._reconnecting.up()
            try:
                await self._read_on(connection)
            except Disconnected:
                continue
            except CommandRefused as refused:
                _log.error("requests cannot be read: %s", refused)
                limit.check(refused)
                await asyncio.sleep(pauses.failed())

    async def _read_on(self, connection: Connection) -> None:
        """Read over one connection.

        The group is made only where reading finds it missing: making it is a write, which a Redis that is out of
        memory refuses, while it still lets requests be read.
        """
        self._registered_at = float("-inf")
        try:
            await self._take_pending(connection)
            await self._take_new(connection)
        except CommandRefused as refused:
            # The first executor of the tenant, or Redis lost everything.
            if refused.code != "NOGROUP":
                raise
            await self._join(connection)

    async def _join(self, connection: Connection) -> None:
        """Make the consumer group if it is missing, from the journal's beginning, so that no request is skipped."""
        try:
            await connection.call("XGROUP", "CREATE", self._key, GROUP, "0", "MKSTREAM")
        except CommandRefused as refused:
            if refused.code != "BUSYGROUP":
                raise

    def _register(self, connection: Connection) -> None:
        """Enter the journal into the index when due: what Redis forgot is registered again."""
        if time.monotonic() - self._registered_at < REGISTER_EVERY_S:
            return
        self._registered_at = time.monotonic()
        commands = registering(self._tenant, self._key)
        connection.send(pack_all(commands), [None] * len(commands))
        connection.send(_FORGET.load(), [None])
        connection.send(pack_all([_FORGET.command([self._key], GROUP, self._consumer)]), [None])

    async def _take_pending(self, connection: Connection) -> None:
        """Take everything that was taken and not finished, by whomever: nobody else is at work on it."""
        start = b"0-0"
        while True:
            start, entries, gone = await connection.call(
                *("XAUTOCLAIM", self._key, GROUP, self._consumer, 0, start, "COUNT", _PAGE)
            )
            for entry_id in gone:
                # Its body is gone for good, and with this answer it is not pending any more.
                _log.error("%s: request %s was trimmed before it was answered", self._key, entry_id.decode())
            await self._take(entries, was_taken=True)
            if start == b"0-0":
                break

    async def _take_new(self, connection: Connection) -> None:
        while True:
            self._register(connection)
            if time.monotonic() - self._looked_at > _LOOK_EVERY_S:
                self._looked_at = time.monotonic()
                if await self._others_have_some(connection):
                    await self._take_pending(connection)
            command = ("XREADGROUP", "GROUP", GROUP, self._consumer, "COUNT", _PAGE, "BLOCK", _BLOCK_MS)
            found = await connection.call(*command, "STREAMS", self._key, ">")
            for entries in (found or {}).values():
                await self._take(entries, was_taken=False)

    async def _others_have_some(self, connection: Connection) -> bool:
        """Tell whether another consumer has entries: it lost the lease, and took them before it knew."""
        *_, consumers = await connection.call("XPENDING", self._key, GROUP)
        return any(name != self._consumer.encode() for name, _ in consumers or ())

    async def _take(self, entries: list[Any], *, was_taken: bool) -> None:
        for raw_id, fields in entries:
            entry_id = raw_id.decode()
            if entry_id not in self._in_hand:
                self._in_hand.add(entry_id)
                self._arrived.put_nowait(self._arrival(entry_id, fields)._replace(was_taken=was_taken))
        while self._arrived.qsize() > _MOST_WAITING:
            self._room.clear()
            await self._room.wait()

    def _arrival(self, entry_id: str, fields: list[bytes]) -> Arrived:
        typed = dict(zip(fields[::2], fields[1::2], strict=False)).get(ORIGIN.encode(), b"").decode(errors="replace")
        received_ms = _time_in(typed) or _time_in(entry_id) or 0
        return Arrived(self._tenant, entry_body(fields), entry_id, typed or entry_id, received_ms, now_ns())

    def _unwritten(self, origin: str, data: bytes) -> None:
        self._arrived.put_nowait(Arrived(self._tenant, data, None, origin, _time_in(origin) or 0, now_ns()))


def _time_in(origin: str) -> int | None:
    """Return the time in ms with which an entry's id, or a typed request's origin, begins."""
    time_ms = origin.partition("-")[0]
    return int(time_ms) if time_ms.isdecimal() and len(time_ms) < _LONGEST_TIME else None
