"""What a strategy's run takes in, in order, as it is kept for replays. See docs/protocol.md, "Inputs of strategies".

An input is one call into the strategy's runtime: a message that was taken, a timer that was due, a hook that went on.
With it stands what the run was told meanwhile and cannot work out itself: its two clocks, and the ids of its requests.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal

import msgspec

from millrace_core.json_problems import UNREADABLE
from millrace_core.messages import Response
from millrace_core.orders import OrderRecord

NEXT_TURN: Final = -1
"""The input that is the next turn of the event loop: the oldest call that was to come soon."""
HOOK_RESUMED: Final = -2
"""The input that is the next step of the newest asynchronous hook."""


class _What(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="what", rename="camel"):
    """The base of inputs that stand for themselves."""


class StrategyMade(_What, frozen=True, tag="made"):
    """A run begins: its strategy is made."""

    plugin_name: str
    configuration: dict[str, Any]
    streams: Sequence[tuple[str, str | None, str, bool]]
    """What it is subscribed to: exchange, symbol, action, and whether all tenants share the stream."""
    limits: dict[str, Any]


class RecordRestored(_What, frozen=True, tag="restored"):
    """What an earlier run kept, each the text of a JSON document; None for what it did not."""

    state: str | None = None
    positions: str | None = None


class StrategyStarted(_What, frozen=True, tag="started"):
    """The strategy starts, with these orders of earlier runs."""

    orders: Sequence[OrderRecord]


class MessageTaken(_What, frozen=True, tag="message"):
    """A message of a stream that does not simply follow the one before, or what the reader itself tells of it."""

    stream: int
    kind: Literal["snapshot", "delta", "status", "response", "untrusted"]
    id: str | None
    """The newest message that its state includes."""
    trusted: bool
    status: str
    """The status of the stream by then; `dead` after silence."""
    reason: str | None = None
    """Why it is dead."""


class CallMade(_What, frozen=True, tag="call"):
    """A call that was due, such as that of a timer."""

    number: int
    """Which, counted from 0 in the order in which they were asked for."""
    after: float
    """For how long it was asked for, s."""


class OrderFound(_What, frozen=True, tag="order"):
    """An order that was looked up."""

    record: OrderRecord


class RequestAnswered(_What, frozen=True, tag="answer"):
    """An answer that magicbox made, in place of an executor that cannot."""

    exchange: str
    action: str
    symbol: str | None
    response: Response
    at_once: bool = False
    """Whether it came before the call returned that sent the request."""


class StrategyReplaced(_What, frozen=True, tag="replaced"):
    """A new version takes over."""

    configuration: dict[str, Any]


class HookCancelled(_What, frozen=True, tag="cancelled"):
    """A hook that does not return is cancelled."""


class HookCutOff(_What, frozen=True, tag="cutOff"):
    """The run goes on without a replaced version, whose hook did not return."""


class StrategyStopped(_What, frozen=True, tag="stopped"):
    """The strategy is stopped."""


What = (
    int
    | StrategyMade
    | RecordRestored
    | StrategyStarted
    | MessageTaken
    | CallMade
    | OrderFound
    | RequestAnswered
    | StrategyReplaced
    | HookCancelled
    | HookCutOff
    | StrategyStopped
)
"""What was taken in. A number from 0 on is that of a stream, whose next message was taken: it follows the one before in
the same epoch, is trusted, and comes with the same status."""


class Input(msgspec.Struct, frozen=True, array_like=True):
    """One input. Each reading of a clock is its difference from the reading before, ns."""

    what: What
    clock: list[int] = []
    """The wall clock's; of a message the first is when it was delivered, unless it is an answer."""
    monotonic: list[int] = []
    request_ids: list[str] = []


class InputBatch(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """Consecutive inputs of one run: the data of a message."""

    run: int
    """When the run began, ms; another run of the strategy has another one."""
    first: int
    """The number of the first input, counted from 0 in the run."""
    clock: int
    """The wall clock's last reading before, ns."""
    monotonic: int
    inputs: list[Input | int]
    """A bare number stands for an input that read no clock and made no request."""
    streams: dict[int, str] = {}
    """The names of streams whose numbers are used from here on."""
    ended: bool = False
    """Whether the run ended in order after these inputs."""


_BATCH: Final = msgspec.json.Decoder(InputBatch)


def read_batch(data: msgspec.Raw) -> InputBatch | None:
    """Return a batch; None if the data is none."""
    try:
        return _BATCH.decode(data)
    except UNREADABLE:
        return None


def readings(before: int, differences: Sequence[int]) -> Iterator[int]:
    """Return a clock's readings; `before` is the one before the first."""
    for difference in differences:
        before += difference
        yield before
