"""Behaviour shared by all streams: publish, open the writer once there is a state, report whether it is live."""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, NoReturn

from millrace_bus import Bus, Published, StreamWriter, WriterFenced, WriterState
from millrace_core.actions import CANDLES, ORDER_BOOK, TRADES, StreamAction
from millrace_core.clock import NS_PER_MS, now_ms, now_ns
from millrace_core.ids import MessageId
from millrace_core.messages import StreamStatus
from millrace_core.names import Symbol
from millrace_core.states import state_of
from millrace_core.trace import Trace
from millrace_exchange import EventTimes, Exchange
from millrace_gatherer.streams.pace import Pace
from millrace_gatherer.streams.questions import QuestionTimer
from millrace_gatherer.streams.readable import possible_ms
from millrace_gatherer.streams.silence import UsualSilence
from millrace_gatherer.units import StreamUnitConfig
from millrace_service import UnitHealthReporter
from millrace_service.redaction import clean_text

MUTE = "the exchange sends nothing, although things happen: waiting for its next message"
BEHIND = "it is behind the exchange: messages arrive faster than they are handled, or late"
NOT_TAKEN = "Redis does not accept the stream's messages: it is unreachable or refuses writes (see the log)"


class _Silent(NamedTuple):
    """A silence, and the state that the stream had in it."""

    silent_s: float
    state: Any


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

    _questions: QuestionTimer
    """When the exchange is asked; of an account's streams and of trades."""

    may_rest: ClassVar[bool] = False
    """Whether it may be silent for ever, as an account is."""

    def __init__(self, unit: StreamUnitConfig, exchange: Exchange, bus: Bus, health: UnitHealthReporter) -> None:
        self.unit = unit
        self.exchange = exchange
        self.health = health
        self.wake = asyncio.Event()
        """Set when the missing part must be fetched: the state was resumed again, or Redis has lost what it had."""
        self.writer: StreamWriter = bus.writer(
            unit.name,
            self._snapshot,
            retention=unit.retention,
            snapshot_interval_s=unit.snapshot_interval_s,
            on_state=self._writer_became,
            resume=self._resume if self.resumes else None,
            on_lost=self.wake.set,
        )
        self._to_received = health.histogram("exchange→received")
        self._to_published = health.histogram("received→published")
        self._clock = asyncio.get_running_loop().time
        self.silence = (
            None if self.may_rest or self.action.is_private else UsualSilence(self._silence_limit_s, self._clock())
        )
        """How long it may be silent; None if for ever."""
        self.pace = Pace(health, has_event_times=self.action in (ORDER_BOOK, TRADES))
        self._silent: _Silent | None = None
        """The silence for which it was taken again, until that is explained."""
        self.broken: asyncio.Future[str] | None = None
        """Resolved, with the reason, when what the exchange sends can no longer be followed."""
        self.on_broken: Callable[[], None] = lambda: None
        """Called when what the exchange sends can no longer be followed, before it is followed anew."""
        self.was_live = False
        """Whether it has been live since it was last followed anew; reset by the runner."""
        self.known = asyncio.Event()
        """Set once the earlier published state is known; only for streams that resume."""
        self.is_subscribed = True
        """Whether the exchange sends the stream, as far as that is known."""
        self._whole = asyncio.Event()
        self._is_open = False
        self._said: tuple[StreamStatus, str | None] = ("stale", "starting")
        """What the stream says of itself, whatever its lag and its silence."""
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
    def is_whole(self) -> bool:
        """Whether its state is the exchange's, however late that arrives."""
        return self._said[0] not in ("stale", "closed")

    @property
    def silence_limit_ms(self) -> int | None:
        """Return how long it may be silent until its usual silence is known; None if silence proves nothing then."""
        return None

    @property
    def _silence_limit_s(self) -> float | None:
        return None if self.silence_limit_ms is None else self.silence_limit_ms / 1000

    def exchange_ms_at(self, at_s: float) -> int:
        """Return what the exchange's time was at a moment of the event loop's clock, ms, as far as it is known now.

        By our own time, where that is ahead, the exchange would be asked for what is in its future.
        """
        return now_ms() + self.exchange.clock_offset_ms() - round((self._clock() - at_s) * 1000)

    def on_message(self) -> None:
        """Note that the exchange sent something."""
        if self.silence is not None and self.silence.received(self._clock()):
            self._set_status(*self._said)

    def message_missed(self, reason: str) -> None:
        """Learn that the exchange sent something of an account that cannot be read: what it said is asked for."""
        self.health.count("unreadable")
        self.health.error(reason)
        self.stale(reason)
        self._questions.missed()

    def order_answered(self) -> None:
        """Learn that an executor changed an order: a message of the account is due, and may never come."""
        self._questions.received()

    @abstractmethod
    async def follow(self) -> None:
        """Take the stream from the exchange until cancelled, or until it breaks."""

    def on_subscribed(self) -> None:
        """Note that the exchange sends the stream from now on: what happened before is asked for."""
        self.is_subscribed = True
        self.wake.set()

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
        """Publish that the state is whole and as the exchange has it; `unproved` says why nothing proves that.

        Does nothing before the stream is subscribed: what happens now would be missing.
        """
        if not self.is_subscribed:
            return
        self._whole.set()
        self.was_live = True
        self._explain_silence()
        self._set_status("live" if unproved is None else "unverified", unproved or self.unit.remark)

    def stale(self, reason: str) -> None:
        """Publish that the state may be behind the exchange's."""
        self._set_status("stale", reason)

    def fail(self, reason: str) -> None:
        """Stop following for now; the runner starts the stream again."""
        if self.broken is not None and not self.broken.done():
            self.on_broken()
            self.broken.set_result(reason)

    def fail_silent(self, silent_s: float) -> None:
        """Take the stream again: it is silent for much longer than usual."""
        self.health.count("silences")
        self._silent = _Silent(silent_s, self._comparable())
        self.fail(f"silent for {silent_s:.1f} s")

    def publish(self, data: Any, event: EventTimes, *, is_live: bool = True) -> None:
        """Publish a delta; the state that `take_snapshot` returns must include it already.

        Before the writer is open nothing needs to be sent: its first snapshot holds everything. Fetched data (`is_live`
        False) does not count for latency.
        """
        self.health.count("messages")
        received_ns, exchange_ns = event.received_ns, None
        timestamp = possible_ms(event.timestamp)
        if self.pace.count(timestamp, received_ns, is_live=is_live):
            self._set_status(*self._said)
        if is_live and timestamp is not None:
            exchange_ns = timestamp * NS_PER_MS
            self._to_received.record(received_ns - exchange_ns)
        if self._is_open:
            self.writer.delta(data, timestamp=timestamp, trace=Trace(exchange_ns, received_ns))
            self._to_published.record(now_ns() - received_ns)

    def _explain_silence(self) -> None:
        """Learn from the state that a silent stream has now whether anything happened meanwhile."""
        silent, self._silent = self._silent, None
        if silent is None or self.silence is None:
            return
        if silent.state == self._comparable():
            self.silence.was_usual(silent.silent_s)
        else:
            self.silence.is_mute = True

    def _comparable(self) -> Any:
        """Return the state if it is the same as long as nothing happens; else None, so that silence counts as usual."""
        return self.take_snapshot("") if self.action in (ORDER_BOOK, TRADES, CANDLES) else None

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
        self._publish_status()

    def _snapshot(self, as_of: MessageId) -> Any:
        return self.take_snapshot(str(as_of))

    def _set_status(self, status: StreamStatus, reason: str | None) -> None:
        self._said = (status, reason)
        if self.is_whole and self.silence is not None and self.silence.is_mute:
            status, reason = "stale", MUTE
        elif self.is_whole and self.pace.is_behind:
            status, reason = "stale", BEHIND
        if (status, reason) == (self._status, self._reason):
            return
        self._status, self._reason = status, reason
        if self._is_open:
            self._publish_status()
        self._report()

    def _publish_status(self) -> None:
        # The reason may be the exchange's own words, which may hold the account's keys.
        self.writer.status(self._status, self._reason and clean_text(self._reason))

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
