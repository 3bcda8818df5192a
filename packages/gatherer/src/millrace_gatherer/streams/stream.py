"""What every stream does alike: publishing, opening its writer once it has a state, saying whether it is live."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from millrace_bus import Bus, Published, StreamWriter, WriterState
from millrace_core.clock import now_ns
from millrace_core.ids import MessageId
from millrace_core.messages import StreamStatus
from millrace_core.states import state_of
from millrace_core.trace import Trace
from millrace_exchange import Event, Feed
from millrace_gatherer.units import StreamUnit
from millrace_service import UnitHealthReporter

_NS_PER_MS = 1_000_000


class Stream(ABC):
    """One stream between an exchange and the bus.

    A subclass holds what was published, gives it by `take_snapshot`, and turns what the exchange tells into
    deltas. Its callbacks run synchronously: state and delta change together, so that a snapshot is never torn.
    """

    silence_limit_s: float | None = None
    """Whether so long a silence proves that something is wrong; None where silence is ordinary."""
    resumes: bool = False
    """Whether it goes on from what was published before, so that nothing is missing between two epochs."""
    begins_empty: bool = False
    """Whether it does so too where nothing was published yet: then all that the exchange tells is a delta once."""

    def __init__(self, unit: StreamUnit, bus: Bus, health: UnitHealthReporter) -> None:
        self.unit = unit
        self.health = health
        self.writer: StreamWriter = bus.writer(
            unit.name,
            self._snapshot,
            retention=unit.retention,
            snapshot_interval_s=unit.snapshot_interval_s,
            on_state=self._writer_is,
            resume=self._go_on if self.resumes else None,
        )
        self.heard: Callable[[], None] = lambda: None
        """Called at each message; set by who watches for silence."""
        self.broken: asyncio.Future[str] | None = None
        """Resolved, with the reason, when what the exchange sends can no longer be followed."""
        self.known = asyncio.Event()
        """Set once it is known what was published before; of streams that resume."""
        self.wake = asyncio.Event()
        """Set when the state became that of what was published once more: what it lacks is to be asked for."""
        self._whole = asyncio.Event()
        self._is_open = False
        self._status: StreamStatus = "stale"
        self._reason: str | None = "starting"

    @abstractmethod
    async def follow(self, feed: Feed) -> None:
        """Take the stream from the exchange until cancelled, or until it breaks."""

    async def work(self) -> None:
        """Do what goes on beside following, also while the exchange is out of reach."""
        return

    @abstractmethod
    def take_snapshot(self, as_of: str) -> Any:
        """Return the whole state as a snapshot's data."""

    def resume(self, published: Published) -> None:
        """Become what was published; what the exchange has beyond it is told of, or asked for, afterwards."""
        raise NotImplementedError

    async def open(self) -> None:
        """Open the writer as soon as there is a state to write; what readers have until then stays theirs."""
        if not self.resumes:
            await self._whole.wait()
            # From the call on, not from its return: the first snapshot is taken somewhere in between.
            self._is_open = True
        await self.writer.open(self._status, self._reason)

    def live(self) -> None:
        """Say that the state is whole and as the exchange has it."""
        self._whole.set()
        self._say("live", None)

    def stale(self, reason: str) -> None:
        """Say that the state may be behind the exchange's."""
        self._say("stale", reason)

    def fail(self, reason: str) -> None:
        """Stop following for now; the runner starts the stream again."""
        if self.broken is not None and not self.broken.done():
            self.broken.set_result(reason)

    def publish(self, data: Any, event: Event, *, is_live: bool = True) -> None:
        """Publish a delta; the state that `take_snapshot` gives must include it already.

        Before the writer is open nothing need be sent: its first snapshot holds everything. What was asked for
        instead of told (`is_live` False) says nothing about latency.
        """
        self.health.count("messages")
        exchange_ns = None if event.timestamp is None or not is_live else event.timestamp * _NS_PER_MS
        if exchange_ns is not None:
            self.health.latency("exchange→received", event.received_ns - exchange_ns)
        if not self._is_open:
            return
        trace = Trace(exchange=exchange_ns, received=event.received_ns)
        self.writer.delta(data, timestamp=event.timestamp, trace=trace)
        self.health.latency("received→published", now_ns() - event.received_ns)

    async def _go_on(self, published: Published | None) -> None:
        if published is None and self.begins_empty:
            published = Published(state_of(self.unit.name.action), [], 0)
        if published is None:
            self.known.set()
            await self._whole.wait()
        else:
            self.stale("what was missed is asked for")
            self.resume(published)
            if self.known.is_set():
                self.wake.set()
            self.known.set()
        self._is_open = True
        # What was said before went nowhere.
        self.writer.status(self._status, self._reason)

    def _snapshot(self, as_of: MessageId) -> Any:
        return self.take_snapshot(str(as_of))

    def _say(self, status: StreamStatus, reason: str | None) -> None:
        if (status, reason) == (self._status, self._reason):
            return
        self._status, self._reason = status, reason
        if self._is_open:
            self.writer.status(status, reason)
        self._report()

    def _writer_is(self, state: WriterState) -> None:
        self._report()

    def _report(self) -> None:
        if self.writer.state == "standby":
            self.health.state("standby", "a newer writer has the stream")
        else:
            self.health.state("live" if self._status == "live" else "stale", self._reason)
