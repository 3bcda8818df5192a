"""Records the journals of tenants: every message from now on, with what the state is at the beginning.

Entries and losses come from the journals, as dbsync reads them; the order among streams comes from the channels.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

import msgspec

from millrace_backtest.recording.arrival_order import ArrivalOrder
from millrace_backtest.recording.files import RecordingWriter
from millrace_bus import Bus, BusError, Journals, TaskFailed
from millrace_core.clock import now_ns
from millrace_core.errors import InvalidMessage, InvalidName
from millrace_core.ids import MessageId
from millrace_core.json_problems import UNREADABLE
from millrace_core.messages import decode
from millrace_core.names import StreamName, Tenant, is_snapshot, trader_actions
from millrace_dbsync.plan import TenantPlan, matches
from millrace_dbsync.reading.intake import Intake, JournalBatch

BATCH: Final = 10_000
_PAUSE_S: Final = 0.02
"""Between two reads: more entries come at a time, which costs Redis less."""
_FLUSH_EVERY_NS: Final = 1_000_000_000
_GRACE_S: Final = 5.0
"""How long what is in the journals may take to be read once it is stopped."""


@dataclass(frozen=True)
class RecordedTenant(TenantPlan):
    """Which journals of a tenant are recorded: those of its assets, with all snapshots, and its requests."""

    def wants(self, name: str) -> bool:
        """Tell whether a journal of this name is to be recorded."""
        if name == trader_actions(self.tenant):
            return self.requests
        try:
            stream = StreamName.parse(name)
        except InvalidName:
            return False
        return any(matches(asset, str(stream)) for asset in self.assets)


def recorded_tenant(tenant: Tenant, streams: Sequence[str] = ()) -> RecordedTenant:
    """Return the plan of a tenant: all of its journals, or the streams that match and the requests."""
    assets = tuple(streams) or (f"stream.{tenant}.*",)
    return RecordedTenant(tenant, assets, True, 0.0, BATCH, 100)


class Recorder:
    """Records some tenants until it is stopped. It waits out any outage of Redis."""

    def __init__(
        self,
        bus: Bus,
        writer: RecordingWriter,
        plans: Sequence[RecordedTenant],
        on_progress: Callable[[RecordingWriter], None] = lambda _writer: None,
    ) -> None:
        self._bus, self._writer, self._plans, self._on_progress = bus, writer, plans, on_progress
        self._order = ArrivalOrder()
        self._channels = _Channels(plans, self._order)
        self._requests = {trader_actions(plan.tenant) for plan in plans}
        self._flushed_ns = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Record until `stop` is set, then what is in the journals by then, and end the recording.

        If Redis is away when it is stopped, it ends after 5 s with what it has.

        Raises:
            BusError: Redis refuses the channels or the journals.
        """
        reading, stopping = asyncio.create_task(self._read_until(stop)), asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({reading, stopping}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({reading}, timeout=_GRACE_S)
        finally:
            for task in (reading, stopping):
                task.cancel()
            await asyncio.wait({reading, stopping})
        if not reading.cancelled():
            reading.result()
        self._write_rest()

    async def _read_until(self, stop: asyncio.Event) -> None:
        patterns = [f"{prefix}{plan.tenant}.*" for plan in self._plans for prefix in ("stream.", "stream.snapshot.")]
        async with AsyncExitStack() as stack:
            for pattern in patterns:
                stack.callback(self._bus.listen(pattern, self._channels))
            journals = await stack.enter_async_context(self._bus.journals())
            await self._channels.opened(len(patterns))
            beginning = await self._begin(journals)
            intakes = [Intake(plan, journals, beginning) for plan in self._plans]
            while not stop.is_set():
                await self._read(intakes)
                await asyncio.sleep(_PAUSE_S)
            # A journal that has just begun is found within a second.
            newest, has_more = self._order.newest, True
            while has_more or not self._order.is_read_up_to(newest):
                has_more = await self._read(intakes)

    async def _read(self, intakes: Sequence[Intake]) -> bool:
        """Read and write what is new; tell whether more is there already."""
        if self._channels.failure is not None:
            raise self._channels.failure
        batches = await asyncio.gather(*(intake.next() for intake in intakes))
        now = now_ns()
        for batch in batches:
            self._take(batch, now)
        for placed in self._order.release(now):
            self._writer.message(placed.name, placed.at_ns, placed.id, placed.body)
        if now - self._flushed_ns >= _FLUSH_EVERY_NS:
            self._flushed_ns = now
            self._writer.flush()
            self._on_progress(self._writer)
        return any(batch.has_more for batch in batches)

    async def _begin(self, journals: Journals) -> dict[str, MessageId]:
        """Write the newest snapshot of each stream; return where reading begins: with what is not in them.

        Of streams without snapshots, and of requests, with what comes from now on.
        """
        found = await journals.names([plan.tenant for plan in self._plans])
        names = sorted(name for name in found if any(plan.wants(name) for plan in self._plans))
        begins = await _newest(journals, names)
        for name in filter(is_snapshot, names):
            if name not in begins:
                continue
            page = (await journals.read({name: _before(begins[name])}, most=1)).get(name)
            for entry in page or ():
                self._writer.message(name, now_ns(), str(entry.id), entry.body)
                begins[name] = entry.id
                if (as_of := _as_of(entry.body)) is not None:
                    begins[str(StreamName.parse(name))] = as_of
        return begins

    def _take(self, batch: JournalBatch, now: int) -> None:
        for name, page in batch.pages.items():
            take = self._order.read_alone if name in self._requests else self._order.read
            for entry in page:
                take(name, str(entry.id), entry.body, now)
        for gap in batch.gaps:
            self._writer.gap(gap, now)

    def _write_rest(self) -> None:
        now = now_ns()
        for placed in self._order.release_all(now):
            self._writer.message(placed.name, placed.at_ns, placed.id, placed.body)
        self._writer.end(now)
        self._on_progress(self._writer)


class _Channels:
    """Hears the channels of some tenants."""

    def __init__(self, plans: Sequence[RecordedTenant], order: ArrivalOrder) -> None:
        self.failure: TaskFailed | None = None
        self._plans, self._order = plans, order
        self._wanted: dict[bytes, str | None] = {}
        self._opened = asyncio.Semaphore(0)

    async def opened(self, count: int) -> None:
        """Wait until so many patterns are subscribed to."""
        for _ in range(count):
            await self._opened.acquire()

    def subscribed(self) -> None:
        """Note that the channels of a pattern are received from now on."""
        self._opened.release()

    def on_pattern_message(self, channel: bytes, data: bytes) -> None:
        """Note when a message came."""
        if channel not in self._wanted:
            name = channel.decode(errors="replace")
            self._wanted[channel] = name if any(plan.wants(name) for plan in self._plans) else None
        wanted = self._wanted[channel]
        if wanted is None:
            return
        try:
            self._order.received(wanted, decode(data).id, now_ns())
        except InvalidMessage:
            return

    def disconnected(self) -> None:
        """Do nothing: what is not received is read."""

    def failed(self, error: BusError) -> None:
        """Keep the reason, and let nobody wait any longer."""
        self.failure = error if isinstance(error, TaskFailed) else TaskFailed("record", error)
        self._opened.release()


class _AsOf(msgspec.Struct, rename="camel"):
    """The field of a snapshot that says which messages it includes."""

    as_of: str


def _before(newest: MessageId) -> MessageId:
    return MessageId(newest.epoch, newest.seq - 1)


async def _newest(journals: Journals, names: Sequence[str]) -> dict[str, MessageId]:
    """Return the newest id of each journal."""
    return {name: extent.newest for name, extent in (await journals.extents(names)).items()}


def _as_of(body: bytes | None) -> MessageId | None:
    try:
        return MessageId.parse(msgspec.json.decode(decode(body or b"").data, type=_AsOf).as_of)
    except (InvalidMessage, InvalidName, *UNREADABLE):
        return None
