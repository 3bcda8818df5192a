"""How far the database is behind the journals, against how much of it the journals keep. Pure."""

from typing import NamedTuple

from millrace_bus import Extent
from millrace_core.ids import MessageId

USUAL_RETENTION = 10_000
"""What a journal is taken to keep before it was ever trimmed."""


class Lag(NamedTuple):
    """What of one journal is not stored yet."""

    behind: int
    """Entries."""
    share: float
    """Of what the journal keeps; at 1 messages begin to be lost."""


def lag_of(stored: MessageId, extent: Extent, *, by_time: bool = False) -> Lag:
    """Compare what is stored with what is there.

    Exact within an epoch and while the stored message is still in the oldest one; otherwise at most so much.
    `by_time` is for journals whose ids are times (requests to trade): there it is an estimate.
    """
    behind = _behind(stored, extent, by_time=by_time)
    # One that was never trimmed may keep more than it holds; twice that at least, or it would soon be.
    keeps = extent.length if extent.added > extent.length else max(2 * extent.length, USUAL_RETENTION)
    return Lag(behind, behind / keeps if keeps else 0.0)


def _behind(stored: MessageId, extent: Extent, *, by_time: bool) -> int:
    oldest, newest, length = extent.oldest, extent.newest, extent.length
    if oldest is None or stored >= newest:
        return 0
    if stored < oldest:
        return length
    if by_time:
        return max(1, length * (newest.epoch - stored.epoch) // max(1, newest.epoch - oldest.epoch))
    if stored.epoch == newest.epoch:
        return min(length, newest.seq - stored.seq)
    if stored.epoch == oldest.epoch:
        return length - (stored.seq - oldest.seq + 1)
    return length


def is_numbered_below(stored: MessageId, newest: MessageId, newest_before: MessageId | None) -> bool:
    """Tell whether a journal grows below what is stored: Redis lost it, and its new writer's clock is behind.

    A writer that sends again what Redis lost does so in its own epoch, and one that begins a new epoch takes a
    greater one: only a journal that was lost whole, and a clock that went back, lead here.
    """
    return newest.epoch < stored.epoch and newest_before is not None and newest != newest_before
