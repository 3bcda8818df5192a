"""Keeps what a strategy's run takes in, in order, so that a replay can repeat the run: docs/protocol.md.

Inputs are noted as they come, in memory; twice a second they are written to the strategy's own stream as one message.

The stream has one writer, so it also tells whether the strategy runs elsewhere: a run that begins later fences the
earlier one.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import suppress
from itertools import pairwise
from time import perf_counter_ns
from typing import Any, Final, NoReturn

from millrace_bus import Bus, BusError, StreamWriter, Update, UpdateListener, WriterState
from millrace_core.clock import now_ms, now_ns
from millrace_core.errors import InvalidName, MillraceError
from millrace_core.ids import RequestId, new_request_id
from millrace_core.names import Tenant, strategy_inputs
from millrace_core.strategy_inputs import (
    HOOK_RESUMED,
    NEXT_TURN,
    CallMade,
    Input,
    InputBatch,
    MessageTaken,
    RecordRestored,
    StrategyMade,
    What,
)
from millrace_magicbox.failures import Failures
from millrace_magicbox.plan import StrategyPlan
from millrace_service import UnitHealthReporter
from millrace_service.redaction import clean
from millrace_service.tasks import first_of
from millrace_strategy import SavedStrategy

WRITE_EVERY_S: Final = 0.5
MOST_IN_BATCH: Final = 5_000
"""Inputs after which a batch is written early."""
CLAIM_LIMIT_S: Final = 2.0
"""How long a run waits for its journal before it begins: a journal that cannot be written ends no run."""
KEPT_BATCHES: Final = 1_000
"""Batches that the journal keeps: some 8 minutes."""
_STATES: Final = ("snapshot", "untrusted")
"""Updates that are no message."""


class RunsElsewhere(MillraceError):
    """Another process has begun to run the strategy: this run is over."""

    def __init__(self) -> None:
        super().__init__(
            "another magicbox has begun to run a strategy of this tenant and name: this one stands by until that ends"
        )


class _Taken:
    """One input, while it is handled."""

    __slots__ = ("clock", "monotonic", "request_ids", "what")

    def __init__(self, what: What) -> None:
        self.what = what
        self.clock: list[int] = []
        self.monotonic: list[int] = []
        self.request_ids: list[str] = []


class InputJournal:
    """The journal of one run of a strategy.

    Every call into the strategy's runtime is announced with `take`, or wrapped by one of the methods that return a
    function. A journal that cannot be written ends no run: the unit reports it, and the inputs are dropped.
    """

    def __init__(self, bus: Bus, tenant: Tenant, name: str, health: UnitHealthReporter) -> None:
        self._health = health
        self._run = now_ms()
        self._taken: list[_Taken] = []
        self._now = _Taken(NEXT_TURN)
        """What is handled now; before the first input nothing is."""
        self._first = 0
        self._clock = self._monotonic = 0
        self._streams: dict[str, int] = {}
        self._new_streams: dict[int, str] = {}
        self._calls = 0
        self._writer: StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None
        self._failures: Failures | None = None
        self.is_fenced = False
        """Whether another process has begun to run the strategy since this run began."""
        self._claimed, self._alone = asyncio.Event(), asyncio.Event()
        try:
            self._writer = bus.writer(
                strategy_inputs(tenant, name), None, retention=KEPT_BATCHES, on_state=self._writer_became
            )
        except InvalidName as error:
            self._fail(error)

    def now_ns(self) -> int:
        """Return the wall clock's reading, and note it."""
        reading = now_ns()
        self._now.clock.append(reading)
        return reading

    def monotonic_ns(self) -> int:
        """Return a reading of the clock for durations, and note it."""
        reading = perf_counter_ns()
        self._now.monotonic.append(reading)
        return reading

    def new_request_id(self) -> RequestId:
        """Return a random id, which no other process has either, and note it."""
        request_id = new_request_id()
        self._now.request_ids.append(request_id)
        return request_id

    def take(self, what: What) -> None:
        """Note an input that is handled from now on."""
        self._now = taken = _Taken(what)
        if self._writer is not None:
            self._taken.append(taken)

    def listener(self, name: str, listener: UpdateListener) -> UpdateListener:
        """Return a listener that notes each update of a stream, and passes it on."""
        number = self._streams.get(name)
        if number is None:
            number = self._streams[name] = len(self._streams)
            self._new_streams[number] = name
        epoch = seq = -1
        status = "unknown"

        def listen(update: Update) -> None:
            nonlocal epoch, seq, status
            at, kind = update.id, update.kind
            is_message = kind not in _STATES
            if (
                at is not None
                and at[1] == seq + 1
                and at[0] == epoch
                and is_message
                and update.trusted
                and update.status == status
            ):
                self.take(number)
            else:
                self.take(_message_taken(number, update))
            if at is not None:
                epoch, seq = at
            status = update.status
            if is_message and kind != "response" and (delivered := update.trace.delivered) is not None:
                self._now.clock.append(delivered)
            listener(update)

        return listen

    def soon(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Return a callback for the next turn of the loop that notes the turn first."""

        def call() -> None:
            self.take(NEXT_TURN)
            callback()

        return call

    def later(self, seconds: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Return a callback that is to be called after a while, which notes when it is."""
        number, self._calls = self._calls, self._calls + 1

        def call() -> None:
            self.take(CallMade(number, seconds))
            callback()

        return call

    def hook(self, work: Coroutine[Any, Any, None]) -> Coroutine[Any, Any, None]:
        """Return the rest of an asynchronous hook, each step of which is noted."""
        return _NotedHook(work, self)

    def begin(self, failures: Failures) -> None:
        """Write what is noted from now on."""
        if self._writer is not None:
            self._failures, self._task = failures, asyncio.create_task(self._keep(self._writer), name="inputs")
            failures.watch(self._task)

    async def claimed(self) -> None:
        """Wait until an earlier run elsewhere can note nothing any more, and so will end; 2 s at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLAIM_LIMIT_S):
                await self._claimed.wait()

    async def alone(self) -> None:
        """Wait until the process that fenced this run has not written for 10 s."""
        await self._alone.wait()

    async def close(self) -> None:
        """Write what is left, and that the run ended in order; then note nothing any more.

        A run that was fenced leaves nothing in the stream of the one after it.
        """
        if self._task is not None and self._failures is not None:
            self._failures.unwatch(self._task)
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._writer is not None and self._writer.state != "closed":
            with suppress(BusError):
                if not self.is_fenced:
                    self._write(self._writer, ended=True)
            await self._writer.close()
        self._writer = None

    async def _keep(self, writer: StreamWriter) -> None:
        try:
            await writer.open()
            self._claimed.set()
            await first_of(writer.failed(), self._write_regularly(writer))
        except BusError as error:
            self._fail(error)

    async def _write_regularly(self, writer: StreamWriter) -> NoReturn:
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            self._write(writer)

    def _write(self, writer: StreamWriter, *, ended: bool = False) -> None:
        # The newest input may still be handled: a task of a hook reads the clock when it wants.
        count = len(self._taken) if ended else len(self._taken) - 1
        for first in range(0, count, MOST_IN_BATCH):
            taken = self._taken[first : min(first + MOST_IN_BATCH, count)]
            writer.delta(self._batch(taken, ended=ended and first + len(taken) == count))
        if count > 0:
            del self._taken[:count]

    def _batch(self, taken: Sequence[_Taken], *, ended: bool) -> InputBatch:
        streams, self._new_streams = self._new_streams, {}
        first, clock, monotonic = self._first, self._clock, self._monotonic
        inputs = [self._input(each) for each in taken]
        self._first += len(inputs)
        return InputBatch(self._run, first, clock, monotonic, inputs, streams, ended)

    def _input(self, taken: _Taken) -> Input | int:
        clock, monotonic = taken.clock, taken.monotonic
        if not clock and not monotonic and isinstance(taken.what, int):
            return taken.what
        differences = [reading - before for before, reading in pairwise((self._clock, *clock))]
        durations = [reading - before for before, reading in pairwise((self._monotonic, *monotonic))]
        if clock:
            self._clock = clock[-1]
        if monotonic:
            self._monotonic = monotonic[-1]
        return Input(taken.what, differences, durations, taken.request_ids)

    def _writer_became(self, state: WriterState) -> None:
        if state == "standby" and self._failures is not None:
            self.is_fenced = True
            self._failures.report(RunsElsewhere())
        elif state == "live" and self.is_fenced:
            self._alone.set()

    def _fail(self, error: Exception) -> None:
        self._claimed.set()
        self._alone.set()
        self._writer = None
        self._taken.clear()
        self._health.error(f"what it takes in is not kept, so that this run cannot be replayed: {error}")


def made(plan: StrategyPlan) -> StrategyMade:
    """Return the input that a strategy is made as planned."""
    streams = [(each.exchange, each.symbol, each.action, each.is_public) for each in plan.streams]
    limits = plan.limits.model_dump(mode="json", by_alias=True)
    return StrategyMade(plan.plugin_name, settings(plan), streams, limits)


def settings(plan: StrategyPlan) -> dict[str, Any]:
    """Return a strategy's settings as they are kept: without secrets."""
    kept: dict[str, Any] = clean(plan.configuration)
    return kept


def restored(saved: SavedStrategy) -> RecordRestored:
    """Return the input that this is what an earlier run kept."""
    state, positions = (None if each is None else each.decode(errors="replace") for each in saved)
    return RecordRestored(state, positions)


def _message_taken(number: int, update: Update) -> MessageTaken:
    is_dead = update.kind == "status" and update.status == "dead"
    reason = update.data.reason if is_dead else None
    place = None if update.id is None else str(update.id)
    return MessageTaken(number, update.kind, place, update.trusted, update.status, reason)


class _NotedHook(Coroutine[Any, Any, None]):
    """An asynchronous hook that notes each of its steps before it makes it."""

    def __init__(self, work: Coroutine[Any, Any, None], journal: InputJournal) -> None:
        self._work, self._journal = work, journal

    def send(self, value: Any) -> Any:
        """Make a step."""
        self._journal.take(HOOK_RESUMED)
        return self._work.send(value)

    def throw(self, *error: Any) -> Any:
        """Make a step that begins with an error."""
        self._journal.take(HOOK_RESUMED)
        return self._work.throw(*error)

    def close(self) -> None:
        """End it."""
        self._work.close()

    def __await__(self) -> Generator[Any, Any, None]:
        return self._work.__await__()
