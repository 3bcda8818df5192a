"""Which messages a journal no longer had when it was read: ids have no holes, so every loss can be told. Pure.

What a page of a journal shows is compared with where the reader stands. Within one epoch a loss is known exactly.
Where a new epoch begins, its own beginning is known exactly too; how far the old epoch went is known only while its
last entries are still there, and where they are not, that is said and no number is made up.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from millrace_bus import BEGINNING
from millrace_core.ids import MessageId


class Hole(NamedTuple):
    """Messages of one epoch that can never be stored, both ends included."""

    name: str
    epoch: int
    first_seq: int
    last_seq: int
    """Below `first_seq` where it is not known whether, or how many, messages are missing."""
    reason: str

    @property
    def missing(self) -> int:
        """How many messages are known to be missing."""
        return self.last_seq - self.first_seq + 1


class Before(NamedTuple):
    """What the journal holds before a page that does not follow where the reader stands."""

    last: MessageId | None
    """The last entry before the page; None where the page begins the journal."""
    was_trimmed: bool
    """Whether entries were ever taken from the journal since its key exists."""


def follows(position: MessageId, first: MessageId) -> bool:
    """Tell whether a page that begins with `first` follows a position without a question."""
    return first.follows(position) or (position == BEGINNING and first.seq == 1)


def holes_before(name: str, position: MessageId, first: MessageId, before: Before) -> list[Hole]:
    """Return the losses between a position and a page that does not follow it without a question."""
    if position == BEGINNING:
        return [Hole(name, first.epoch, 1, first.seq - 1, "written and gone before the journal was first read")]
    if position.epoch == first.epoch:
        reason = _DELETED if before.last is not None else _TRIMMED if before.was_trimmed else _LOST
        return [Hole(name, first.epoch, position.seq + 1, first.seq - 1, reason)]
    holes = [*_end_unknown(name, position, before)]
    if first.seq > 1:
        reason = _TRIMMED if before.last is None else _DELETED
        holes.append(Hole(name, first.epoch, 1, first.seq - 1, reason))
    return holes


def end_unknown(name: str, position: MessageId, before: Before) -> list[Hole]:
    """Return the doubt, where there is one, about a journal whose ids have no order without holes (requests to trade).

    They can only be compared with what stands before them: nothing is lost while that is what was read last.
    """
    if position == BEGINNING or before.last == position:
        return []
    return _end_unknown(name, position, before)


def holes_within(name: str, ids: Sequence[MessageId]) -> list[Hole]:
    """Return the losses between the entries of a page."""
    first, last = ids[0], ids[-1]
    if first.epoch == last.epoch and last.seq - first.seq + 1 == len(ids):
        # Ids only grow: a page whose ends are as far apart as it is long has no hole.
        return []
    holes = []
    for before, entry_id in pairwise(ids):
        if not entry_id.follows(before):
            after = before.seq + 1 if entry_id.epoch == before.epoch else 1
            if entry_id.seq > after:
                holes.append(Hole(name, entry_id.epoch, after, entry_id.seq - 1, _DELETED))
    return holes


def _end_unknown(name: str, position: MessageId, before: Before) -> list[Hole]:
    """Tell what is not known of the end of the epoch in which the reader stands."""
    if before.last is not None and before.last >= position:
        return []
    if before.last is not None:
        reason = "Redis came back with an older state; whether messages followed in this epoch is not known"
    elif before.was_trimmed:
        reason = "trimmed before it was read; how many messages followed in this epoch is not known"
    else:
        reason = "Redis lost the journal; whether messages followed in this epoch is not known"
    return [Hole(name, position.epoch, position.seq + 1, position.seq, reason)]


_TRIMMED = "trimmed from the journal before it was read"
_DELETED = "missing from the journal, which holds messages before and after"
_LOST = "lost by Redis, which has only what its writer sent again"
