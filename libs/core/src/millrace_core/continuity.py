"""Gaps: messages that a journal no longer held when it was read. Pure.

Ids have no gaps, so comparing a page with the reader's position shows every loss. Within an epoch the loss is exact,
and so is the beginning of a new epoch. How far the old epoch went is known only while its last entries are in the
journal; otherwise the gap says that the number is unknown.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from millrace_core.ids import BEGINNING, MessageId


class Gap(NamedTuple):
    """Messages of one epoch that can never be stored, from first to last inclusive."""

    name: str
    epoch: int
    first_seq: int
    last_seq: int
    """Below `first_seq` when it is unknown whether, or how many, messages are missing."""
    reason: str

    @property
    def missing(self) -> int:
        """Number of messages that are known to be missing."""
        return self.last_seq - self.first_seq + 1


class Before(NamedTuple):
    """What the journal holds before a page that does not follow the reader's position."""

    last: MessageId | None
    """The last entry before the page; None when the page begins the journal."""
    was_trimmed: bool
    """Whether entries were removed from the journal since its key exists."""


def follows(position: MessageId, first: MessageId) -> bool:
    """Tell whether a page that begins with `first` follows a position directly."""
    return first.follows(position) or (position == BEGINNING and first.seq == 1)


def gaps_before(name: str, position: MessageId, first: MessageId, before: Before) -> list[Gap]:
    """Return the gaps between a position and a page that does not follow it directly."""
    if position == BEGINNING:
        return [Gap(name, first.epoch, 1, first.seq - 1, "trimmed before the journal was first read")]
    if position.epoch == first.epoch:
        reason = _DELETED if before.last is not None else _TRIMMED if before.was_trimmed else _LOST
        return [Gap(name, first.epoch, position.seq + 1, first.seq - 1, reason)]
    gaps = [*_end_unknown(name, position, before)]
    if first.seq > 1:
        reason = _TRIMMED if before.last is None else _DELETED
        gaps.append(Gap(name, first.epoch, 1, first.seq - 1, reason))
    return gaps


def end_unknown(name: str, position: MessageId, before: Before) -> list[Gap]:
    """Return the possible gap in a journal whose ids are times (requests to trade); none if nothing can be lost.

    Such ids are not consecutive, so a page is compared with the entry before it: nothing is lost if that was read.
    """
    if position == BEGINNING or before.last == position:
        return []
    return _end_unknown(name, position, before)


def gaps_within(name: str, ids: Sequence[MessageId]) -> list[Gap]:
    """Return the gaps between the entries of a page."""
    first, last = ids[0], ids[-1]
    if first.epoch == last.epoch and last.seq - first.seq + 1 == len(ids):
        # Ids only grow: a page that is as long as the distance of its ends has no gap.
        return []
    gaps = []
    for before, entry_id in pairwise(ids):
        if not entry_id.follows(before):
            after = before.seq + 1 if entry_id.epoch == before.epoch else 1
            if entry_id.seq > after:
                gaps.append(Gap(name, entry_id.epoch, after, entry_id.seq - 1, _DELETED))
    return gaps


def _end_unknown(name: str, position: MessageId, before: Before) -> list[Gap]:
    """Return a gap of unknown size at the end of the reader's epoch, if messages may have followed there."""
    if before.last is not None and before.last >= position:
        return []
    if before.last is not None:
        reason = "Redis restarted with older data; whether messages followed in this epoch is not known"
    elif before.was_trimmed:
        reason = "trimmed before it was read; how many messages followed in this epoch is not known"
    else:
        reason = "Redis lost the journal; whether messages followed in this epoch is not known"
    return [Gap(name, position.epoch, position.seq + 1, position.seq, reason)]


_TRIMMED = "trimmed from the journal before it was read"
_DELETED = "missing from the journal, which holds messages before and after"
_LOST = "lost by Redis; its writer could send only a part again"
