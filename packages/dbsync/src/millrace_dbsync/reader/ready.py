"""What was read together, in a batch: ready to be committed."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from millrace_core.clock import now_ms
from millrace_core.ids import MessageId
from millrace_dbsync.handling.handler import Dead, Shelved
from millrace_dbsync.reading.continuity import Hole
from millrace_dbsync.reading.intake import Haul
from millrace_store import Batch

ROOM: Final = 32
"""Hauls in memory at most: those of a batch that is being committed, of the next one, and a few on their way."""


@dataclass(frozen=True)
class Told:
    """What is said of a haul, apart from its rows."""

    count: int
    """Entries."""
    last: dict[str, MessageId]
    """By journal the newest entry."""
    holes: list[Hole]
    has_more: bool
    """Whether more waited in the journals than was read of them."""
    dead: list[Dead] = field(default_factory=list)
    failed: int = 0
    """Answers to requests that were not done."""


@dataclass(frozen=True)
class Ready:
    """A haul whose messages are in a batch."""

    told: Told
    batch: Batch
    haul: Haul | None
    """What was read, for whoever must divide it; None where another process has read it."""
    release: Callable[[], None] = lambda: None
    """To be called when it is committed: there is room for another one."""
    is_buried: bool = False
    """Whether it is one message, and that a dead letter."""

    @classmethod
    def of(cls, haul: Haul, batch: Batch, shelved: Shelved) -> "Ready":
        """Return a haul whose pages were put in a batch; its losses are added to that."""
        for hole in haul.holes:
            batch.gap(hole.name, hole.epoch, hole.first_seq, hole.last_seq, now_ms(), hole.reason)
        last = {name: page.last for name, page in haul.pages.items()}
        told = Told(haul.count, last, haul.holes, haul.has_more, shelved.dead, shelved.failed)
        return cls(told, batch, haul)


Arrived: TypeAlias = "asyncio.Queue[Ready | None]"
"""Ready hauls in order; None after the last one."""
