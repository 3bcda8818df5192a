"""Committing what was read: whole hauls, through any outage of the database, around what it will not take."""

from itertools import chain
from typing import NamedTuple

import structlog

from millrace_core.clock import now_ms
from millrace_core.ids import MessageId
from millrace_dbsync.continuity import Hole
from millrace_dbsync.database import Database
from millrace_dbsync.hop_times import HopTimes
from millrace_dbsync.intake import Haul
from millrace_dbsync.shelving import Shelve, dead_letter, shelf_of
from millrace_service import UnitHealthReporter
from millrace_store import Batch, StoreError

_TOLD = 20
"""Dead letters of one haul that are logged one by one."""

log = structlog.get_logger()


class _Dead(NamedTuple):
    """A message that could not be understood."""

    name: str
    id: MessageId
    reason: str


class _Outcome(NamedTuple):
    """What deserves to be told of a haul once it is committed."""

    dead: list[_Dead]
    failed: int
    """Answers to requests that were not done."""


class Storing:
    """Stores hauls one after the other; `positions` says up to where each journal is in the database."""

    def __init__(self, database: Database, health: UnitHealthReporter, positions: dict[str, MessageId]) -> None:
        self._database, self._health = database, health
        self.positions = positions
        self._shelves: dict[str, Shelve] = {}

    async def store(self, haul: Haul) -> None:
        """Commit a haul; when the database is gone, wait for it as long as it takes.

        What the database refuses by itself goes to dead letters, and the rest of the haul is stored.

        Raises:
            StoreError: the database refuses even a dead letter: no message is to blame.
        """
        try:
            await self._commit(haul)
        except StoreError as error:
            if haul.count == 1:
                await self._bury(haul, str(error))
            else:
                # One message among many: it is found by halving, and its neighbours are stored on the way.
                for part in _halves(haul):
                    await self.store(part)

    async def _commit(self, haul: Haul) -> None:
        outcome = await self._database.commit(lambda batch: self._put(batch, haul), self._health)
        self.positions.update({name: page[-1].id for name, page in haul.pages.items()})
        self._tell(haul, outcome)

    async def _bury(self, haul: Haul, reason: str) -> None:
        """Store a haul of one message as a dead letter."""
        (name,) = haul.pages
        self._shelves[name] = lambda batch, entry: dead_letter(batch, name, entry, f"the database refuses it: {reason}")
        try:
            await self._commit(haul)
        finally:
            del self._shelves[name]

    def _put(self, batch: Batch, haul: Haul) -> _Outcome:
        times, outcome = HopTimes(), []
        failed = 0
        for name, page in haul.pages.items():
            shelve = self._shelves.get(name) or self._shelves.setdefault(name, shelf_of(name))
            for entry in page:
                stored = shelve(batch, entry)
                if stored.trace is not None:
                    times.note(name, stored.trace)
                    failed += stored.failed
                elif stored.dead is not None:
                    outcome.append(_Dead(name, entry.id, stored.dead))
        times.put(batch)
        for hole in haul.holes:
            batch.gap(hole.name, hole.epoch, hole.first_seq, hole.last_seq, now_ms(), hole.reason)
        return _Outcome(outcome, failed)

    def _tell(self, haul: Haul, outcome: _Outcome) -> None:
        health = self._health
        health.count("messages", haul.count)
        health.count("batches")
        health.count("failedExecutions", outcome.failed)
        health.count("deadLetters", len(outcome.dead))
        for hole in haul.holes:
            self._alarm(hole)
        for dead in outcome.dead[:_TOLD]:
            log.error("a message cannot be understood", stream=dead.name, id=str(dead.id), reason=dead.reason)
        if outcome.dead:
            newest = outcome.dead[-1]
            health.error(f"{newest.name} {newest.id} is a dead letter: {newest.reason}")

    def _alarm(self, hole: Hole) -> None:
        self._health.count("gaps")
        self._health.count("lost", hole.missing)
        first = MessageId(hole.epoch, hole.first_seq)
        log.error("messages are lost", stream=hole.name, missing=hole.missing, first=str(first), reason=hole.reason)
        self._health.error(f"{hole.name}: {hole.missing} messages lost from {first} on: {hole.reason}")


def _halves(haul: Haul) -> tuple[Haul, Haul]:
    """Cut a haul in two, each journal's order kept; its losses go with the first half."""
    entries = list(chain.from_iterable(((name, entry) for entry in page) for name, page in haul.pages.items()))
    middle = len(entries) // 2
    first, second = Haul(holes=haul.holes), Haul()
    for part, chosen in ((first, entries[:middle]), (second, entries[middle:])):
        for name, entry in chosen:
            part.pages.setdefault(name, []).append(entry)
            part.count += 1
    return first, second
