"""Committing what was read: whole hauls, through any outage of the database, around what it will not take."""

from collections.abc import Sequence
from dataclasses import replace

import structlog

from millrace_core.ids import MessageId
from millrace_dbsync.committing.database import Database
from millrace_dbsync.handling.handler import Shelved, bury
from millrace_dbsync.handling.shelves import Shelves
from millrace_dbsync.reader.preparing import prepare
from millrace_dbsync.reader.ready import Ready, Told
from millrace_dbsync.reading.continuity import Hole
from millrace_dbsync.reading.intake import Haul
from millrace_service import UnitHealthReporter
from millrace_store import Batch, StoreError, joined

_TOLD = 20
"""Dead letters of one haul that are logged one by one."""

log = structlog.get_logger()


class Indivisible(Exception):
    """The database refuses a haul that another process has read: whoever reads it again can divide it."""


class Storing:
    """Stores hauls one after the other; `positions` says up to where each journal is in the database."""

    def __init__(self, database: Database, health: UnitHealthReporter, positions: dict[str, MessageId]) -> None:
        self._database, self._health = database, health
        self.positions = positions
        self._shelves = Shelves()

    async def store(self, hauls: Sequence[Ready]) -> None:
        """Commit hauls that follow one another together; when the database is gone, wait as long as it takes.

        What the database refuses by itself goes to dead letters, and all the rest is stored.

        Raises:
            StoreError: the database refuses even a dead letter: no message is to blame.
            Indivisible: it refuses something of a haul of which only the batch is here; what came before is stored.
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
            Indivisible: it cannot be divided here.
        """
        if len(hauls) > 1:
            return list(hauls)
        (ready,) = hauls
        if ready.haul is None:
            raise Indivisible(str(error)) from error
        if ready.haul.count > 1:
            return [await prepare(self._shelves, half) for half in _halves(ready.haul)]
        if ready.is_buried:
            raise error
        return [_buried(ready.haul, str(error))]

    async def _commit(self, hauls: Sequence[Ready]) -> None:
        await self._database.commit(joined([ready.batch for ready in hauls]), self._health)
        self._health.count("batches")
        for ready in hauls:
            self.positions.update(ready.told.last)
            self._tell(ready.told)

    def _tell(self, told: Told) -> None:
        health = self._health
        health.count("messages", told.count)
        health.count("failedExecutions", told.failed)
        health.count("deadLetters", len(told.dead))
        for hole in told.holes:
            self._alarm(hole)
        for dead in told.dead[:_TOLD]:
            log.error("a message cannot be understood", stream=dead.name, id=str(dead.id), reason=dead.reason)
        if told.dead:
            newest = told.dead[-1]
            health.error(f"{newest.name} {newest.id} is a dead letter: {newest.reason}")

    def _alarm(self, hole: Hole) -> None:
        self._health.count("gaps")
        self._health.count("lost", hole.missing)
        first = MessageId(hole.epoch, hole.first_seq)
        log.error("messages are lost", stream=hole.name, missing=hole.missing, first=str(first), reason=hole.reason)
        self._health.error(f"{hole.name}: {hole.missing} messages lost from {first} on: {hole.reason}")


def _buried(haul: Haul, reason: str) -> Ready:
    """Return a haul of one message, that message a dead letter."""
    shelved = Shelved()
    ((name, (entry,)),) = haul.pages.items()
    batch = Batch()
    bury(batch, name, entry, f"the database refuses it: {reason}", shelved)
    return replace(Ready.of(haul, batch, shelved), is_buried=True)


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
