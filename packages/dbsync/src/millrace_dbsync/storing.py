"""Committing what was read: whole hauls, through any outage of the database, around what it will not take."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from millrace_core.clock import now_ms
from millrace_core.ids import MessageId
from millrace_dbsync.continuity import Hole
from millrace_dbsync.database import Database
from millrace_dbsync.intake import Haul
from millrace_dbsync.shelved import Shelved, bury
from millrace_dbsync.shelves import Shelves
from millrace_dbsync.shelving_process import ShelvingProcess
from millrace_service import UnitHealthReporter
from millrace_store import Batch, StoreError, joined

_TOLD = 20
"""Dead letters of one haul that are logged one by one."""

log = structlog.get_logger()


@dataclass(frozen=True)
class Ready:
    """A haul whose messages are in a batch, to be committed."""

    haul: Haul
    batch: Batch
    shelved: Shelved
    is_buried: bool = False
    """Whether it is one message, and that a dead letter."""


class Storing:
    """Stores hauls one after the other; `positions` says up to where each journal is in the database."""

    def __init__(
        self,
        database: Database,
        aside: ShelvingProcess,
        health: UnitHealthReporter,
        positions: dict[str, MessageId],
    ) -> None:
        self._database, self._aside, self._health = database, aside, health
        self.positions = positions
        self._shelves = Shelves()
        self._shelving = asyncio.Lock()

    async def prepare(self, haul: Haul) -> Ready:
        """Decode a haul into a batch; what cannot be understood becomes dead letters."""
        batch, shelved = await self._aside.shelve(haul.pages) or await self._shelve(haul)
        for hole in haul.holes:
            batch.gap(hole.name, hole.epoch, hole.first_seq, hole.last_seq, now_ms(), hole.reason)
        return Ready(haul, batch, shelved)

    async def _shelve(self, haul: Haul) -> tuple[Batch, Shelved]:
        batch, shelved = Batch(), Shelved()
        # The one that was read first is wanted first.
        async with self._shelving:
            for _ in self._shelves.put(batch, haul.pages, shelved):
                # Others of this process have their turn.
                await asyncio.sleep(0)
        return batch, shelved

    async def store(self, hauls: Sequence[Ready]) -> None:
        """Commit hauls that follow one another together; when the database is gone, wait as long as it takes.

        What the database refuses by itself goes to dead letters, and all the rest is stored.

        Raises:
            StoreError: the database refuses even a dead letter: no message is to blame.
        """
        try:
            await self._commit(hauls)
        except StoreError as error:
            for part in await self._parts(hauls, error):
                await self.store([part])

    async def _parts(self, hauls: Sequence[Ready], error: StoreError) -> list[Ready]:
        """Divide what the database refuses: one message among many is found so, and its neighbours are stored.

        Raises:
            StoreError: it cannot be divided further.
        """
        if len(hauls) > 1:
            return list(hauls)
        haul = hauls[0].haul
        if haul.count > 1:
            return [await self.prepare(half) for half in _halves(haul)]
        if hauls[0].is_buried or not haul.count:
            raise error
        return [_buried(haul, str(error))]

    async def _commit(self, hauls: Sequence[Ready]) -> None:
        await self._database.commit(joined([ready.batch for ready in hauls]), self._health)
        self._health.count("batches")
        for ready in hauls:
            self.positions.update({name: page.last for name, page in ready.haul.pages.items()})
            self._tell(ready.haul, ready.shelved)

    def _tell(self, haul: Haul, shelved: Shelved) -> None:
        health = self._health
        health.count("messages", haul.count)
        health.count("failedExecutions", shelved.failed)
        health.count("deadLetters", len(shelved.dead))
        for hole in haul.holes:
            self._alarm(hole)
        for dead in shelved.dead[:_TOLD]:
            log.error("a message cannot be understood", stream=dead.name, id=str(dead.id), reason=dead.reason)
        if shelved.dead:
            newest = shelved.dead[-1]
            health.error(f"{newest.name} {newest.id} is a dead letter: {newest.reason}")

    def _alarm(self, hole: Hole) -> None:
        self._health.count("gaps")
        self._health.count("lost", hole.missing)
        first = MessageId(hole.epoch, hole.first_seq)
        log.error("messages are lost", stream=hole.name, missing=hole.missing, first=str(first), reason=hole.reason)
        self._health.error(f"{hole.name}: {hole.missing} messages lost from {first} on: {hole.reason}")


def _buried(haul: Haul, reason: str) -> Ready:
    """Give a haul of one message, that message a dead letter."""
    ((name, (entry,)),) = haul.pages.items()
    ready = Ready(haul, Batch(), Shelved(), is_buried=True)
    bury(ready.batch, name, entry, f"the database refuses it: {reason}", ready.shelved)
    return ready


def _halves(haul: Haul) -> tuple[Haul, Haul]:
    """Cut a haul in two, each journal's order kept; its losses go with the first half."""
    first, second = Haul(holes=haul.holes), Haul()
    room = haul.count // 2
    for name, page in haul.pages.items():
        for part, piece in ((first, page[:room]), (second, page[room:])):
            if piece:
                part.pages[name] = piece
                part.count += len(piece)
        room -= min(room, len(page))
    return first, second
