"""Repeats what is recorded of a strategy, and finds the first decision that is not the recorded one.

The strategy gets the very inputs that it had, in their order, and reads from its clocks what it read. So with the same
code and settings it decides the same, unless it uses what it should not: another clock, or chance.
"""

from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from typing import Any, Final, NamedTuple

from millrace_backtest.errors import NothingRecorded, NotRecorded
from millrace_backtest.recording.files import Recorded, Recording, merged
from millrace_backtest.recording.lines import RecordedMessage
from millrace_backtest.replay.decisions import is_same
from millrace_backtest.replay.recorded_run import BatchReader, RecordedInput, time_of
from millrace_backtest.replay.recorded_stream import RecordedStream
from millrace_backtest.replay.replayed_run import Loader, ReplayedRun
from millrace_core.clock import NS_PER_MS
from millrace_core.errors import InvalidMessage, InvalidName, MalformedRequest
from millrace_core.messages import Message, decode
from millrace_core.names import StreamName, Tenant, is_snapshot, strategy_inputs, trader_actions
from millrace_core.requests import OrderRequest, parse_request
from millrace_core.strategy_inputs import InputBatch, RequestAnswered, read_batch

_SNAPSHOT: Final = "stream.snapshot."
_INPUTS_BEFORE: Final = 3
"""Inputs that are shown before the one on which a decision differs."""


class Cause(NamedTuple):
    """An input on which a strategy decided, or did not."""

    run: int
    number: int
    at_ns: int
    what: str


class Difference(NamedTuple):
    """The first decision that is not the same; None where there was none."""

    number: int
    """Of the decision, counted from 1."""
    recorded: OrderRequest | None
    now: OrderRequest | None
    causes: Sequence[Cause]
    """The inputs before, oldest first, and last the one on which it was decided."""


@dataclass
class Replayed:
    """What a replay found."""

    recorded: int = 0
    """Decisions in the inputs that were repeated."""
    same: int = 0
    """How many of them are made again, up to the first difference."""
    unproven: int = 0
    """How many of these could be compared by id and place only, since the recording lacks the request."""
    outside: int = 0
    """Recorded decisions that were made in inputs that are missing."""
    inputs: int = 0
    runs: int = 0
    difference: Difference | None = None
    astray: Cause | None = None
    """The first input from which on it asked for other calls, such as timers, than it did; None if it never did."""
    ends: list[str] = field(default_factory=list)
    """Where knowledge ends, a line each."""


class ReplayedStrategy(NamedTuple):
    """Which strategy to repeat, and with what."""

    tenant: Tenant
    name: str
    """The source of its orders."""
    load: Loader
    configuration: dict[str, Any] | None = None
    """Other settings than it had; None for those that it had."""
    from_ns: int | None = None
    """Runs that ended before are left out. A run is repeated from its beginning."""
    to_ns: int | None = None
    """Nothing after it is repeated."""


class _Known:
    """What is known of a strategy before anything is repeated: its streams, its runs and its requests."""

    def __init__(self, plan: ReplayedStrategy, sources: Sequence[Recording]) -> None:
        self.streams: set[str] = set()
        self.requests: dict[str, OrderRequest] = {}
        self.last_ns: dict[int, int] = {}
        """By run, its clock's last reading."""
        self.first_ns: float = inf
        """The first reading of all runs."""
        self._journal, self._actions = str(strategy_inputs(plan.tenant, plan.name)), trader_actions(plan.tenant)
        self._source = plan.name
        for recorded in merged(sources):
            if isinstance(recorded.what, RecordedMessage):
                self._take(recorded.name, bytes(recorded.what.body))

    def _take(self, name: str, body: bytes) -> None:
        if name == self._actions:
            self._take_request(body)
        elif name == self._journal and (batch := _batch(body)) is not None:
            self.streams |= set(batch.streams.values())
            self.first_ns = min(self.first_ns, batch.clock or inf)
            self.last_ns[batch.run] = max(batch.clock, self.last_ns.get(batch.run, 0))

    def _take_request(self, body: bytes) -> None:
        try:
            request = parse_request(body)
        except MalformedRequest:
            return
        if isinstance(request, OrderRequest) and request.payload.order_source == self._source and request.request_id:
            self.requests.setdefault(request.request_id, request)


class _Replay:
    """A replay while it goes on."""

    def __init__(self, plan: ReplayedStrategy, known: _Known) -> None:
        self.found = Replayed()
        self._plan, self._known = plan, known
        self._journal = str(strategy_inputs(plan.tenant, plan.name))
        self._streams = {name: RecordedStream(StreamName.parse(name)) for name in known.streams}
        self._reader = BatchReader()
        self._waiting: deque[RecordedInput] = deque()
        self._run: ReplayedRun | None = None
        """The run that is repeated; None if the present one cannot be, or is left out."""
        self._seen: set[str] = set()
        """The ids of all requests that were made in the inputs so far."""
        self._ids: list[str] = []
        """Of the requests that were made during the present input."""
        self._before: deque[Cause] = deque(maxlen=_INPUTS_BEFORE + 1)
        self._at_ns = 0

    async def take(self, recorded: Recorded) -> None:
        """Take what is recorded, and repeat the inputs that it completes."""
        if not isinstance(recorded.what, RecordedMessage):
            return
        name, body = recorded.name, bytes(recorded.what.body)
        if name == self._journal:
            if (batch := _batch(body)) is not None:
                await self._take_batch(batch)
            return
        stream = self._streams.get(_stream_of(name))
        if stream is not None and (message := _message(body)) is not None:
            (stream.add_snapshot if is_snapshot(name) else stream.add)(message)
            # Most often the inputs come after what they name, and nothing waits.
            if self._waiting:
                await self._go_on()

    async def end(self) -> None:
        """Repeat what is left, and say where knowledge ends."""
        await self._end_run()
        self.found.outside = sum(self._is_wanted(request) for request in self._known.requests.values())

    def _is_wanted(self, request: OrderRequest) -> bool:
        """Tell whether a recorded request was made in none of the inputs, and is not left out on purpose."""
        decided, first, last = request.trace.decided or 0, self._plan.from_ns, self._plan.to_ns
        return (
            request.request_id not in self._seen
            and (first is None or first <= decided)
            and (last is None or decided < last)
        )

    async def _take_batch(self, batch: InputBatch) -> None:
        if batch.run != self._reader.run:
            await self._end_run()
            self._begin_run(batch.run)
        inputs = self._reader.inputs(batch)
        if self._run is None:
            return
        if inputs is None:
            self._give_up(f"what it took in before input {batch.first} is not recorded")
        else:
            self._waiting.extend(inputs)
            await self._go_on()

    def _begin_run(self, run: int) -> None:
        self._reader.begin(run)
        plan = self._plan
        if plan.from_ns is not None and self._known.last_ns[run] < plan.from_ns:
            return
        self.found.runs += 1
        self._run = ReplayedRun(
            plan.tenant, plan.name, plan.load, self._streams.__getitem__, self._reader.streams, plan.configuration
        )
        self._run.answer_at_once = self._answer_at_once

    async def _end_run(self) -> None:
        await self._go_on()
        if self._waiting and self._run is not None:
            self._give_up(f"{self._waiting[0].described(self._reader.streams)} is not in the recordings")
        if self._run is not None:
            self._run.host.close()
            if not self._reader.ended:
                self._ends("it was not ended in order, so what it took in last may be missing")
        self._run = None

    def _give_up(self, why: str) -> None:
        """Leave the rest of the present run: what is missing may have changed anything."""
        self._ends(why)
        if self._run is not None:
            self._run.host.close()
        self._run = None
        self._waiting.clear()

    def _ends(self, why: str) -> None:
        at = f", after {time_of(self._at_ns)}" if self._at_ns else ""
        self.found.ends.append(f"the run of {time_of(self._reader.run * NS_PER_MS)}{at}: {why}")

    async def _go_on(self) -> None:
        """Repeat the inputs that wait, as far as what they name is recorded."""
        while self._waiting and self._run is not None:
            each = self._waiting[0]
            if self._plan.to_ns is not None and each.at_ns >= self._plan.to_ns:
                self._waiting.clear()
                self._run.host.close()
                self._run = None
            elif self.found.difference is not None:
                self._waiting.popleft()
                self._at_ns = each.at_ns
                self._seen.update(each.request_ids)
                self.found.recorded += sum(request_id in self._known.requests for request_id in each.request_ids)
            elif self._run.is_known(each):
                self._waiting.popleft()
                await self._repeat(self._run, each)
            else:
                return

    async def _repeat(self, run: ReplayedRun, each: RecordedInput) -> None:
        self._ids = [*each.request_ids]
        try:
            await run.take(each)
        except NotRecorded as error:
            self._give_up(str(error))
            return
        self.found.inputs += 1
        self._at_ns = each.at_ns
        what = each.described(self._reader.streams)
        place = f" {run.place}" if isinstance(each.what, int) and run.place is not None else ""
        self._before.append(Cause(self._reader.run, each.number, each.at_ns, f"{what}{place}"))
        if run.host.is_astray and self.found.astray is None:
            self.found.astray = self._before[-1]
        self._compare(run.decided)

    def _answer_at_once(self, request: OrderRequest) -> RecordedInput | None:
        """Return the next input if it is the answer to this request, given before the call that sent it returned."""
        following = self._waiting[0] if self._waiting else None
        what = None if following is None else following.what
        if not isinstance(what, RequestAnswered) or not what.at_once or what.response.request_id != request.request_id:
            return None
        self._ids += self._waiting[0].request_ids
        return self._waiting.popleft()

    def _compare(self, decided: Sequence[OrderRequest]) -> None:
        """Compare what was decided during an input with what is decided now."""
        found, now = self.found, {each.request_id or "": each for each in decided}
        self._seen.update(self._ids)
        for request_id in self._ids:
            recorded, again = self._known.requests.get(request_id), now.pop(request_id, None)
            if recorded is None and again is None:
                continue  # The id of a request that was never sent.
            found.recorded += 1
            if found.difference is not None:
                continue
            if recorded is None or (again is not None and is_same(recorded, again)):
                found.same += 1
                found.unproven += recorded is None
            else:
                self._differs(recorded, again)
        if now and found.difference is None:
            self._differs(None, next(iter(now.values())))

    def _differs(self, recorded: OrderRequest | None, now: OrderRequest | None) -> None:
        self.found.difference = Difference(self.found.same + 1, recorded, now, [*self._before])


async def replay(plan: ReplayedStrategy, sources: Sequence[Recording]) -> Replayed:
    """Repeat what is recorded of a strategy.

    Raises:
        NothingRecorded: the recordings do not hold its inputs, or none that could be repeated.
        MillraceError: there is no such strategy, or it does not take these settings.
    """
    if plan.from_ns is not None and plan.to_ns is not None and plan.from_ns >= plan.to_ns:
        raise NothingRecorded("the end is not after the beginning")
    known = _Known(plan, sources)
    if not known.last_ns:
        raise NothingRecorded(f"the recordings do not hold {strategy_inputs(plan.tenant, plan.name)}: what it took in")
    if plan.to_ns is not None and plan.to_ns < known.first_ns:
        raise NothingRecorded("nothing could be repeated: it began after that time")
    going = _Replay(plan, known)
    for recorded in merged(sources):
        await going.take(recorded)
    await going.end()
    if not going.found.inputs:
        why = "; ".join(going.found.ends) or f"no run of {plan.name} is recorded of that time"
        raise NothingRecorded(f"nothing could be repeated: {why}")
    return going.found


def tenant_of(sources: Sequence[Recording], strategy: str) -> Tenant:
    """Return the tenant of whom a strategy of this name is recorded.

    Raises:
        NothingRecorded: it is recorded of several, or of none.
    """
    found: set[Tenant] = set()
    for name in {recorded.name for recorded in merged(sources)}:
        with suppress(InvalidName):
            stream = StreamName.parse(name)
            found |= {stream.tenant} if stream == strategy_inputs(stream.tenant, strategy) else set()
    if len(found) != 1:
        tenants = ", ".join(sorted(found)) or "nobody"
        raise NothingRecorded(f"name the tenant: what {strategy} took in is recorded of {tenants}")
    return found.pop()


def _batch(body: bytes) -> InputBatch | None:
    message = _message(body)
    return None if message is None or message.type != "delta" else read_batch(message.data)


def _message(body: bytes) -> Message | None:
    try:
        return decode(body)
    except InvalidMessage:
        return None


def _stream_of(name: str) -> str:
    """Return the name of the stream that a name belongs to: its own, or that of which it has the snapshots."""
    return f"stream.{name.removeprefix(_SNAPSHOT)}" if is_snapshot(name) else name
