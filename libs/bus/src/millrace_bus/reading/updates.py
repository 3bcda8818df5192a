"""Updates: the argument of a follower's listener."""

from typing import Any, Literal

import msgspec

from millrace_core.ids import MessageId
from millrace_core.market_terms import MarketTerms
from millrace_core.names import StreamName
from millrace_core.states import StreamState
from millrace_core.trace import Trace

UpdateKind = Literal["snapshot", "delta", "status", "response", "untrusted"]
FollowerStatus = Literal["unknown", "live", "unverified", "stale", "closed", "dead"]
"""The writer's last status; `unknown` before the first, `dead` after 10 s without a message."""


class Update(msgspec.Struct, frozen=True):
    """One update of a stream; updates come in the stream's order.

    `delta`, `response`, `status`: one message, each exactly once from where the follower stands.
    `untrusted`: the state may be wrong from now on (once); messages that fill a gap follow with `trusted` False.
    `snapshot`: the state is complete and correct (first time, or again); messages that it includes do not come one by
    one. Of a stream of answers it shows that nothing is missing, or, with `trusted` False, that answers up to `id` are
    missing, with None an unknown number; those that are left follow.
    """

    name: StreamName
    id: MessageId | None
    """The message's place; of a snapshot that of the last message in it; None before anything was read."""
    kind: UpdateKind
    data: Any
    """A delta's or response's data as `millrace_core.states` decodes it, a `Status`; None of the other kinds."""
    state: StreamState
    """The state after this message; changed in place by later messages. While untrusted: the last good one."""
    trusted: bool
    status: FollowerStatus
    timestamp: int | None = None
    """The exchange's own time of the event, ms."""
    trace: Trace = Trace()
    """With `delivered` stamped; an answer has the unchanged trace of its request."""
    market: MarketTerms | None = None
    """The terms of the stream's market; None if it is about none, or they are not known."""


class FollowerCounters(msgspec.Struct):
    """Running totals of one followed stream."""

    messages: int = 0
    """Applied."""
    duplicates: int = 0
    gaps: int = 0
    """Gaps noticed."""
    recoveries: int = 0
    """Gaps that the journal filled."""
    resyncs: int = 0
    """Restarts from a snapshot; of a stream of answers, from the oldest that is left."""
    flaws: int = 0
    """States proven wrong by a checksum or a crossed book."""
    unproven: int = 0
    """Messages on the channel that claim a gap, or a newer writer, of which the journal holds nothing."""
    malformed: int = 0
    """Bytes on the stream that are not a message."""
