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


class Fenced(NamedTuple):
    """A newer writer has taken over the stream."""

    epoch: int


def decide(
    last: MessageId, first_kept: int | None, newest: MessageId | None, newest_snapshot: MessageId | None
) -> Resend | NewEpoch | Fenced:
    """Decide how to resume, from our last message, the oldest kept one, and the content of Redis."""
    found = max(epoch_of(newest), epoch_of(newest_snapshot))
    if found > last.epoch:
        return Fenced(found)
    held = newest.seq if newest is not None and newest.epoch == last.epoch else 0
    if held >= last.seq:
        return Resend(last.seq)
    if first_kept is not None and first_kept <= held + 1:
        return Resend(held)
    return NewEpoch(max(found, last.epoch), held)


def epoch_of(newest: MessageId | None) -> int:
    """Return the epoch of a stream's newest entry; 0 of an empty one."""
    return 0 if newest is None else newest.epoch
