"""What a follower calls its listener with."""

from typing import Any, Literal

import msgspec

from millrace_core.ids import MessageId
from millrace_core.names import StreamName
from millrace_core.states import StreamState
from millrace_core.trace import Trace

UpdateKind = Literal["snapshot", "delta", "status", "response", "untrusted"]
FollowerStatus = Literal["unknown", "live", "stale", "closed", "dead"]
"""What the writer last said; `unknown` before it said anything, `dead` when no message came for 10 s."""


class Update(msgspec.Struct, frozen=True):
    """One thing that a listener learns of a stream; updates come in the stream's order.

    `delta`, `response`, `status`: one message, each exactly once from where the follower stands.
    `untrusted`: the state may be wrong from now on (once); messages that fill a hole follow with `trusted` False.
    `snapshot`: the state is whole and right (first time, or again); messages that it took in do not come
    one by one.
    """

    name: StreamName
    id: MessageId | None
    """The message's place; of a snapshot that of the last message in it; None before anything was read."""
    kind: UpdateKind
    data: Any
    """A delta's or response's data as `millrace_core.states` decodes it, a `Status`; None of the other kinds."""
    state: StreamState
    """What the messages add up to after this one; changed in place by later messages. Untrusted: the last good one."""
    trusted: bool
    status: FollowerStatus
    timestamp: int | None = None
    """The exchange's own time of the event, ms."""
    trace: Trace = Trace()
    """With `delivered` stamped; that of an answer is its request's, as it came."""


class FollowerCounters(msgspec.Struct):
    """Running totals of one followed stream."""

    messages: int = 0
    """Applied."""
    duplicates: int = 0
    gaps: int = 0
    """Holes noticed."""
    recoveries: int = 0
    """Holes that the journal filled."""
    resyncs: int = 0
    """Starts again at a snapshot."""
    flaws: int = 0
    """States proven wrong by a checksum or a crossed book."""
    malformed: int = 0
    """Bytes on the stream that are no message."""
