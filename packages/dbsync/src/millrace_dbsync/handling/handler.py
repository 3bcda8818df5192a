"""What adds journals' entries to a batch, and what is learnt on the way."""

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from millrace_bus import JournalEntry, JournalPage
from millrace_core.clock import now_ms
from millrace_core.ids import MessageId
from millrace_dbsync.handling.hop_times import HopTimes
from millrace_store import Batch, Place


class Dead(NamedTuple):
    """A message that could not be understood."""

    name: str
    id: MessageId
    reason: str


@dataclass
class Shelved:
    """What was learnt of messages on the way to their places."""

    times: HopTimes = field(default_factory=HopTimes)
    dead: list[Dead] = field(default_factory=list)
    failed: int = 0
    """Answers to requests that were not done."""


class Shelf(Protocol):
    """Adds entries of one journal to a batch, in order; one that cannot be understood goes to dead letters."""

    def put(self, batch: Batch, page: JournalPage, shelved: Shelved) -> None:
        """Add a page."""


def bury(batch: Batch, name: str, entry: JournalEntry, reason: str, shelved: Shelved) -> None:
    """Add an entry to those that cannot be stored as what they are."""
    batch.dead_letter(Place(name, entry.id, now_ms()), reason, entry.body or b"")
    shelved.dead.append(Dead(name, entry.id, reason))
