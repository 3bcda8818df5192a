"""Commits batches, through outages of the database and around messages that it refuses."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import structlog

from millrace_core.ids import MessageId
from millrace_dbsync.committing.shared_database import SharedDatabase
from millrace_dbsync.handling.handler import HandlingResult, dead_letter
from millrace_dbsync.handling.handlers import Handlers
from millrace_dbsync.reader.local import prepare
from millrace_dbsync.reader.prepared import BatchSummary, PreparedBatch
from millrace_dbsync.reading.continuity import Gap
from millrace_dbsync.reading.intake import JournalBatch
from millrace_service import UnitHealthReporter
from millrace_store import Batch, StoreError, joined

_MOST_LOGGED: Final = 20
"""Dead letters of one batch that are logged one by one."""

log = structlog.get_logger()


class Indivisible(Exception):
    """The database refuses a batch that another process read; this process must read it again to divide it."""


class Committer:
    """Commits prepared batches in order; `positions` says up to where each journal is in the database."""

    def __init__(self, database: SharedDatabase, health: UnitHealthReporter, positions: dict[str, MessageId]) -> None:
        self._database, self._health = database, health
        self.positions = positions
        self._handlers = Handlers()

    async def store(self, batches: Sequence[PreparedBatch]) -> None:
        """Commit batches that follow one another together; wait for a database that is gone, however long it takes.

        Messages that the database refuses go to dead letters; everything else is stored.

        Raises:
            StoreError: the database refuses even a dead letter, so no message is to blame.
            Indivisible: it refuses a message that another process read; the batches before that one are stored.
        """
        try:
            await self._commit(batches)
        except StoreError as error:
            for part in await self._parts(batches, error):
                await self.store([part])

    async def _parts(self, batches: Sequence[PreparedBatch], error: StoreError) -> list[PreparedBatch]:
        """Divide a refused batch until the one message to blame is found and the others are stored.

        Raises:
            StoreError: it cannot be divided further.
            Indivisible: it cannot be divided here.
        """
        if len(batches) > 1:
            return list(batches)
        (refused,) = batches
        if refused.source is None:
            raise Indivisible(str(error)) from error
        if refused.source.count > 1:
            return [await prepare(self._handlers, half) for half in _halves(refused.source)]
        if refused.is_dead_letter:
            raise error
        return [_as_dead_letter(refused.source, str(error))]

    async def _commit(self, batches: Sequence[PreparedBatch]) -> None:
        await self._database.commit(joined([prepared.rows for prepared in batches]), self._health)
        self._health.count("batches")
        for prepared in batches:
            self.positions.update(prepared.summary.last)
            self._report(prepared.summary)

    def _report(self, summary: BatchSummary) -> None:
        health = self._health
        health.count("messages", summary.count)
        health.count("failedExecutions", summary.failed)
        health.count("deadLetters", len(summary.dead))
        for gap in summary.gaps:
            self._alarm(gap)
        for dead in summary.dead[:_MOST_LOGGED]:
            log.error("a message is stored as a dead letter", stream=dead.name, id=str(dead.id), reason=dead.reason)
        if summary.dead:
            newest = summary.dead[-1]
            health.error(f"{newest.name} {newest.id} is a dead letter: {newest.reason}")

    def _alarm(self, gap: Gap) -> None:
        self._health.count("gaps")
        self._health.count("lost", gap.missing)
        first = MessageId(gap.epoch, gap.first_seq)
        log.error("messages are lost", stream=gap.name, missing=gap.missing, first=str(first), reason=gap.reason)
        self._health.error(f"{gap.name}: {gap.missing} messages lost, starting at {first}: {gap.reason}")


def _as_dead_letter(source: JournalBatch, reason: str) -> PreparedBatch:
    """Return a batch of one message, with that message as a dead letter."""
    result = HandlingResult()
    ((name, (entry,)),) = source.pages.items()
    rows = Batch()
    dead_letter(rows, name, entry, f"the database rejected the message: {reason}", result)
    return replace(PreparedBatch.of(source, rows, result), is_dead_letter=True)


def _halves(whole: JournalBatch) -> tuple[JournalBatch, JournalBatch]:
    """Cut a batch in two without changing the order of any journal; its gaps go with the first half."""
    first, second = JournalBatch(gaps=whole.gaps), JournalBatch()
    room = whole.count // 2
    for name, page in whole.pages.items():
        for part, piece in ((first, page[:room]), (second, page[room:])):
            if piece:
                part.pages[name] = piece
                part.count += len(piece)
        room -= min(room, len(page))
    return first, second
