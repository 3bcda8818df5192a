"""The inputs of a strategy's runs, as they are read from its journal. Pure."""

from datetime import UTC, datetime
from typing import NamedTuple

from millrace_core.strategy_inputs import (
    HOOK_RESUMED,
    NEXT_TURN,
    CallMade,
    Input,
    InputBatch,
    MessageTaken,
    OrderFound,
    RequestAnswered,
    What,
    readings,
)


class RecordedInput(NamedTuple):
    """One input."""

    number: int
    """Counted from 0 in the run."""
    at_ns: int
    """The strategy's clock by then: its first reading, or the last one before."""
    what: What
    clock: list[int]
    monotonic: list[int]
    request_ids: list[str]

    def described(self, streams: dict[int, str]) -> str:
        """Say what it is."""
        what = self.what
        match what:
            case int() if what == NEXT_TURN:
                return "the next turn of the event loop, for events that had to wait"
            case int() if what == HOOK_RESUMED:
                return "an asynchronous hook goes on"
            case int():
                return f"the next message of {streams.get(what, '?')}"
            case MessageTaken():
                return f"{what.kind} of {streams.get(what.stream, '?')} {what.id or ''}".rstrip()
            case CallMade():
                return f"a call that was to come after {what.after:g} s, such as that of a timer"
            case OrderFound():
                return f"the order {what.record.order.id}, which was looked up"
            case RequestAnswered():
                return f"an answer of magicbox itself: {what.response.status} for {what.response.request_id}"
        return f"strategy {what.__struct_config__.tag}"


class BatchReader:
    """Turns the batches of one run after the other into inputs with absolute readings."""

    def __init__(self) -> None:
        self.run = 0
        self.streams: dict[int, str] = {}
        """The names of the present run's streams, by number."""
        self.ended = True
        """Whether the run ended in order with what was read last."""
        self._next = 0

    def begin(self, run: int) -> None:
        """Begin another run."""
        self.run, self.streams, self._next = run, {}, 0

    def inputs(self, batch: InputBatch) -> list[RecordedInput] | None:
        """Return the inputs of a batch, without those that were read before; None if some are missing before it."""
        self.ended = batch.ended
        if batch.first > self._next:
            return None
        self.streams.update(batch.streams)
        found: list[RecordedInput] = []
        clock, monotonic = batch.clock, batch.monotonic
        for number, each in enumerate(batch.inputs, batch.first):
            taken = Input(each) if isinstance(each, int) else each
            clocks, durations = list(readings(clock, taken.clock)), list(readings(monotonic, taken.monotonic))
            at_ns = clocks[0] if clocks else clock
            clock, monotonic = (clocks or [clock])[-1], (durations or [monotonic])[-1]
            if number >= self._next:
                found.append(RecordedInput(number, at_ns, taken.what, clocks, durations, taken.request_ids))
        self._next = max(self._next, batch.first + len(batch.inputs))
        return found


def time_of(at_ns: int) -> str:
    """Return a moment as a person reads it, UTC."""
    return f"{datetime.fromtimestamp(at_ns // 1_000 / 1e6, UTC):%H:%M:%S.%f}"
