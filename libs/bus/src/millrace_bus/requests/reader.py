"""Reads requests to trade from the journal and the channel. See docs/protocol.md, "Requests to trade"."""

import asyncio
import logging
import time
from collections.abc import Callable, Collection
from typing import Any, NamedTuple, Self

import msgspec

from millrace_bus.connection.calls import Calls
from millrace_bus.connection.connection import Connection, pack_all
from millrace_bus.connection.reconnecting import REFUSED_RETRIES, ReconnectingConnection, RefusalLimit
from millrace_bus.connection.subscriptions import Subscriptions
from millrace_bus.errors import BusError, CommandRefused, Disconnected, TaskFailed
from millrace_bus.reading.journal_index import REGISTER_EVERY_S, registering
from millrace_bus.reading.journal_page import entry_body
from millrace_bus.tasks import BackgroundTask
from millrace_core.backoff import Backoff
from millrace_core.clock import now_ms, now_ns
from millrace_core.json_problems import UNREADABLE
from millrace_core.names import Tenant, trader_actions

GROUP = "executor"
_PAGE = 100
_BLOCK_MS = 1_000
"""Shorter than the time after which a silent connection is pinged."""
_CLAIM_EVERY_S = 10.0
_MOST_WAITING = 1_000
_LOOK_EVERY_S = 0.01

_log = logging.getLogger("millrace.bus")


class Arrived(NamedTuple):
    """One request as it came, not yet parsed."""

    tenant: Tenant
    raw: bytes
    entry_id: str | None
    """Its entry in the journal; None if it was typed by hand on the channel."""
    received_ms: int
    """When Redis added it to the journal, or when it was read from the channel: its validity may count from here."""
    received_ns: int
    """When it was read: `trace.accepted`."""


class _Origin(msgspec.Struct):
    """Marks requests of programs on the channel; requests typed by hand lack it."""

    journaled: bool = False


_origin = msgspec.json.Decoder(_Origin)


class RequestReader:
    """Asynchronous iterator over the requests of some tenants; made by `Bus.request_reader`.

    Entries that this consumer took earlier and never finished come first, each again exactly as it was.
    An entry stays pending until `done`. An unforeseen error ends the iteration with `TaskFailed`.
    """

    def __init__(
        self,
        tenants: Collection[Tenant],
        consumer: str,
        claim_idle_ms: int,
        reconnecting: ReconnectingConnection,
        subscriptions: Subscriptions,
        calls: Calls,
        open_readers: "set[RequestReader]",
    ) -> None:
        self._tenants = {trader_actions(tenant).encode(): tenant for tenant in tenants}
        self._consumer, self._claim_idle_ms = consumer, claim_idle_ms
        self._reconnecting, self._subscriptions, self._calls = reconnecting, subscriptions, calls
        self._arrived: asyncio.Queue[Arrived | None] = asyncio.Queue()
        self._room = asyncio.Event()
        self._in_hand: set[tuple[bytes, str]] = set()
        """Requests that were handed out, or are about to be, and are not done: they are not handed out again."""
        self._claimed_at = 0.0
        self._registered_at = float("-inf")
        self._channel_error: BusError | None = None
        self._typed = [
            subscriptions.add(key.decode(), _Typed(tenant, self._arrived, self._refused))
            for key, tenant in self._tenants.items()
        ]
        self._open_readers = open_readers
        """Set of open readers, which the bus closes when it ends."""
        open_readers.add(self)
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
            if self._channel_error is not None:
                raise TaskFailed(f"requests {self._consumer}", self._channel_error)
            raise StopAsyncIteration
        return arrived

    async def done(self, arrived: Arrived) -> None:
        """Acknowledge that a request was answered: it will not come again. Does nothing for one typed by hand."""
        if arrived.entry_id is None:
            return
        key = trader_actions(arrived.tenant)
        await self._calls.call("XACK", key, GROUP, arrived.entry_id)
        self._in_hand.discard((key.encode(), arrived.entry_id))

    async def close(self) -> None:
        """Stop reading; the iteration ends. Entries not done stay pending. Closing twice is harmless."""
        for subscription in self._typed:
            self._subscriptions.remove(subscription)
        self._open_readers.discard(self)
        await self._task.close()
        await self._reconnecting.close()
        self._arrived.put_nowait(None)

    def _failed(self, failure: TaskFailed) -> None:
        _log.error("%s", failure)
        self._arrived.put_nowait(None)

    def _refused(self, error: BusError) -> None:
        """End the iteration: what is typed on the channel would reach nobody."""
        self._channel_error = error
        self._arrived.put_nowait(None)

    async def _read(self) -> None:
        """Read the journals until closed, through any outage of Redis.

        Raises:
            CommandRefused: Redis refuses permanently to read them.
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
            await self._take_own(connection)
            await self._take_new(connection)
        except CommandRefused as refused:
            # The first executor of the tenant, or Redis lost everything.
            if refused.code != "NOGROUP":
                raise
            await self._join(connection)

    async def _join(self, connection: Connection) -> None:
        """Make the consumer group if it is missing, from the journal's beginning, so that no request is skipped."""
        for key in self._tenants:
            try:
                await connection.call("XGROUP", "CREATE", key, GROUP, "0", "MKSTREAM")
            except CommandRefused as refused:
                if refused.code != "BUSYGROUP":
                    raise

    def _register(self, connection: Connection) -> None:
        """Enter the journals into the index when due: what Redis forgot is registered again."""
        if time.monotonic() - self._registered_at < REGISTER_EVERY_S:
            return
        self._registered_at = time.monotonic()
        for key, tenant in self._tenants.items():
            commands = registering(tenant, key.decode())
            connection.send(pack_all(commands), [None] * len(commands))

    async def _take_own(self, connection: Connection) -> None:
        """Read entries that this consumer took before a restart and never finished."""
        for key in self._tenants:
            beyond = b"0"
            while True:
                found = await connection.call(*self._xreadgroup("COUNT", _PAGE), "STREAMS", key, beyond)
                entries = found.get(key, []) if found else []
                if not entries:
                    break
                await self._take(connection, key, entries)
                beyond = entries[-1][0]

    async def _take_new(self, connection: Connection) -> None:
        if not self._tenants:
            await connection.lost
            return
        groups = self._reconnecting.grouping(key.decode() for key in self._tenants)
        # No command can wait for entries of more than one group.
        block = ("BLOCK", _BLOCK_MS) if len(groups) == 1 else ()
        while True:
            self._register(connection)
            if time.monotonic() - self._claimed_at > _CLAIM_EVERY_S:
                self._claimed_at = time.monotonic()
                await self._claim(connection)
            for keys in groups:
                command = (*self._xreadgroup("COUNT", _PAGE, *block), "STREAMS", *keys, *(">" for _ in keys))
                for key, entries in (await connection.call(*command) or {}).items():
                    await self._take(connection, key, entries)
            if not block:
                await asyncio.sleep(_LOOK_EVERY_S)

    async def _claim(self, connection: Connection) -> None:
        """Take over entries left pending by consumers that are gone."""
        for key in self._tenants:
            start = b"0-0"
            while True:
                start, entries, *_ = await connection.call(
                    *("XAUTOCLAIM", key, GROUP, self._consumer, self._claim_idle_ms, start, "COUNT", _PAGE)
                )
                await self._take(connection, key, entries)
                if start == b"0-0":
                    break

    async def _take(self, connection: Connection, key: bytes, entries: list[Any]) -> None:
        for raw_id, fields in entries:
            entry_id = raw_id.decode()
            if fields is None:
                # Trimmed away while pending: its body is gone for good.
                _log.error("%s: request %s was trimmed before it was answered", key.decode(), entry_id)
                await connection.call("XACK", key, GROUP, raw_id)
            elif (key, entry_id) not in self._in_hand:
                self._in_hand.add((key, entry_id))
                received_ms = int(entry_id.partition("-")[0])
                body = entry_body(fields) or b""
                self._arrived.put_nowait(Arrived(self._tenants[key], body, entry_id, received_ms, now_ns()))
        while self._arrived.qsize() > _MOST_WAITING:
            self._room.clear()
            await self._room.wait()

    def _xreadgroup(self, *options: str | int) -> tuple[str | int, ...]:
        return ("XREADGROUP", "GROUP", GROUP, self._consumer, *options)


class _Typed:
    """Receives requests that a person typed on a tenant's channel."""

    def __init__(
        self, tenant: Tenant, arrived: "asyncio.Queue[Arrived | None]", failed: Callable[[BusError], None]
    ) -> None:
        self._tenant, self._arrived, self._failed = tenant, arrived, failed

    def subscribed(self) -> None:
        """Do nothing: a request published before reached no subscriber, and its publisher saw that count."""

    def disconnected(self) -> None:
        """Do nothing."""

    def failed(self, error: BusError) -> None:
        """Report that nothing more will come."""
        self._failed(error)

    def on_message(self, data: bytes) -> None:
        """Take a message unless it is in the journal too."""
        if not _is_journaled(data):
            self._arrived.put_nowait(Arrived(self._tenant, data, None, now_ms(), now_ns()))


def _is_journaled(data: bytes) -> bool:
    try:
        return _origin.decode(data).journaled
    except UNREADABLE:
        # Typed with a mistake: it is to be answered with what is wrong.
        return False
