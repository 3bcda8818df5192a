"""How a writer resumes its stream after an outage, or after Redis refused a message. Pure.

See docs/protocol.md, "Writers after an outage".
"""

from typing import NamedTuple

from millrace_core.ids import MessageId


class Resend(NamedTuple):
    """The stream is ours and all that it lacks is kept: resend the messages after `after`, then a snapshot."""

    after: int


class NewEpoch(NamedTuple):
    """Not all missing messages are kept: begin a new epoch above `above`; the stream lacks all beyond `held`."""

    above: int
    held: int


class Intruded(NamedTuple):
    """Another program wrote in our epoch, so that Redis refuses our numbers: begin a new epoch above it."""

    epoch: int


class Fenced(NamedTuple):
    """A newer writer has taken over the stream."""

    epoch: int


def decide(
    last: MessageId,
    snapshots: int,
    first_kept: int | None,
    newest: MessageId | None,
    newest_snapshot: MessageId | None,
    hole: int | None = None,
) -> Resend | NewEpoch | Intruded | Fenced:
    """Decide how to resume: from our last message, how many snapshots we wrote, the oldest kept message, and Redis.

    `hole` is the number after which Redis refused a message and took a later one; None if it did not.
    """
    found = max(epoch_of(newest), epoch_of(newest_snapshot))
    if found > last.epoch:
        return Fenced(found)
    if _is_beyond(newest, last) or _is_beyond(newest_snapshot, MessageId(last.epoch, snapshots)):
        return Intruded(found)
    if hole is not None:
        return NewEpoch(max(found, last.epoch), hole)
    held = newest.seq if newest is not None and newest.epoch == last.epoch else 0
    if held >= last.seq:
        return Resend(last.seq)
    if first_kept is not None and first_kept <= held + 1:
        return Resend(held)
    return NewEpoch(max(found, last.epoch), held)


def _is_beyond(newest: MessageId | None, ours: MessageId) -> bool:
    return newest is not None and newest > ours


def epoch_of(newest: MessageId | None) -> int:
    """Return the epoch of a stream's newest entry; 0 of an empty one."""
    return 0 if newest is None else newest.epoch
