"""Behaviour shared by all streams: publish, open the writer once there is a state, report whether it is live."""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, NoReturn

from millrace_bus import Bus, Published, StreamWriter, WriterFenced, WriterState
from millrace_core.actions import StreamAction
from millrace_core.clock import NS_PER_MS, now_ns
from millrace_core.ids import MessageId
from millrace_core.messages import StreamStatus
from millrace_core.names import Symbol
from millrace_core.states import state_of
from millrace_core.trace import Trace
from millrace_exchange import EventTimes, Exchange
from millrace_gatherer.units import StreamUnitConfig
from millrace_service import UnitHealthReporter

NOT_TAKEN = "Redis does not accept the stream's messages: it is unreachable or refuses writes (see the log)"


class Stream(ABC):
    """One stream between an exchange and the bus.

    A subclass holds what was published, returns it from `take_snapshot`, and turns what the exchange sends into
    deltas. Its callbacks run synchronously: state and delta change together, so that a snapshot is never torn.
    """

    action: ClassVar[StreamAction]
    """Which kind of stream it takes."""
    resumes: ClassVar[bool] = False
    """Whether it continues from what was published before, so that nothing is missing between two epochs."""
    begins_empty: ClassVar[bool] = False
    """Whether it does so even if nothing was published yet: then everything that the exchange sends is a delta once."""

    def __init__(self, unit: StreamUnitConfig, exchange: Exchange, bus: Bus, health: UnitHealthReporter) -> None:
        self.unit = unit
        self.exchange = exchange
        self.health = health
        self.writer: StreamWriter = bus.writer(
            unit.name,
            self._snapshot,
            retention=unit.retention,
            snapshot_interval_s=unit.snapshot_interval_s,
            on_state=self._writer_became,
            resume=self._resume if self.resumes else None,
        )
        self.on_message: Callable[[], None] = lambda: None
        """Called at each message; set by the watchdog."""
        self.broken: asyncio.Future[str] | None = None
        """Resolved, with the reason, when what the exchange sends can no longer be followed."""
        self.known = asyncio.Event()
        """Set once the earlier published state is known; only for streams that resume."""
        self.wake = asyncio.Event()
        """Set when the state was resumed again: the missing part must be fetched."""
        self._whole = asyncio.Event()
        self._is_open = False
        self._status: StreamStatus = "stale"
        self._reason: str | None = "starting"
        self._writer_changed = asyncio.Event()
        self._is_taken = False
        """Whether Redis accepts messages: it acknowledged one since the writer last connected."""

    @property
    def symbol(self) -> Symbol:
        """The symbol of a stream that is not account-wide."""
        if self.unit.name.symbol is None:
            raise ValueError(f"{self.unit.key} needs a symbol")
        return self.unit.name.symbol

    @property
    def silence_limit_ms(self) -> int | None:
        """Return how long a healthy stream may be silent; None if silence proves nothing."""
        return None

    @abstractmethod
    async def follow(self) -> None:
        """Take the stream from the exchange until cancelled, or until it breaks."""

    async def work(self) -> None:
        """Do the work that runs in parallel to following, also while the exchange is out of reach."""
        return

    @abstractmethod
    def take_snapshot(self, as_of: str) -> Any:
        """Return the whole state as a snapshot's data."""

    def resume(self, published: Published) -> None:
        """Restore the published state; newer data arrives, or is asked for, afterwards."""
        raise NotImplementedError

    async def open(self) -> None:
        """Open the writer as soon as there is a state to write; until then readers keep what they have."""
        if not self.resumes:
            await self._whole.wait()
            # From the call on, not from its return: the first snapshot is taken somewhere in between.
            self._is_open = True
        await self.writer.open(self._status, self._reason)

    async def watch_writer(self) -> NoReturn:
        """Count the writer as working only once Redis acknowledged a message after connecting.

        A writer whose every message Redis refuses (out of memory, read only, a retention beyond its numbers) connects
        and is refused every second: in between it would look live.
        """
        while True:
            await self._writer_changed.wait()
            self._writer_changed.clear()
            if self.writer.state == "live" and not self._is_taken:
                with contextlib.suppress(WriterFenced):
                    await self.writer.drained()
                    self._is_taken = self.writer.state == "live"
                    self._report()

    def live(self, unproved: str | None = None) -> None:
        """Publish that the state is whole and as the exchange has it; `unproved` says why nothing proves that."""
        self._whole.set()
        self._set_status("live" if unproved is None else "unverified", unproved)

    def stale(self, reason: str) -> None:
        """Publish that the state may be behind the exchange's."""
        self._set_status("stale", reason)

    def fail(self, reason: str) -> None:
        """Stop following for now; the runner starts the stream again."""
        if self.broken is not None and not self.broken.done():
            self.broken.set_result(reason)

    def publish(self, data: Any, event: EventTimes, *, is_live: bool = True) -> None:
        """Publish a delta; the state that `take_snapshot` returns must include it already.

        Before the writer is open nothing needs to be sent: its first snapshot holds everything. Fetched data (`is_live`
        False) does not count for latency.
        """
        self.health.count("messages")
        exchange_ns = None if event.timestamp is None or not is_live else event.timestamp * NS_PER_MS
        if exchange_ns is not None:
            self.health.latency("exchange→received", event.received_ns - exchange_ns)
        if not self._is_open:
            return
        trace = Trace(exchange=exchange_ns, received=event.received_ns)
        self.writer.delta(data, timestamp=event.timestamp, trace=trace)
        self.health.latency("received→published", now_ns() - event.received_ns)

    async def _resume(self, published: Published | None) -> None:
        if published is None and self.begins_empty:
            published = Published(state_of(self.unit.name.action), [], 0)
        if published is None:
            self.known.set()
            await self._whole.wait()
        else:
            self.stale("fetching the missed data")
            self.resume(published)
            if self.known.is_set():
                self.wake.set()
            self.known.set()
        self._is_open = True
        # What was reported before went nowhere.
        self.writer.status(self._status, self._reason)

    def _snapshot(self, as_of: MessageId) -> Any:
        return self.take_snapshot(str(as_of))

    def _set_status(self, status: StreamStatus, reason: str | None) -> None:
        if (status, reason) == (self._status, self._reason):
            return
        self._status, self._reason = status, reason
        if self._is_open:
            self.writer.status(status, reason)
        self._report()

    def _writer_became(self, state: WriterState) -> None:
        if state != "live":
            self._is_taken = False
        self._writer_changed.set()
        self._report()

    def _report(self) -> None:
        if self.writer.state == "standby":
            self.health.state("standby", "a newer writer has the stream")
        elif self._status in ("live", "unverified") and self._is_taken:
            self.health.state("live" if self._status == "live" else "unverified", self._reason)
        else:
            self.health.state("stale", self._reason or NOT_TAKEN)
