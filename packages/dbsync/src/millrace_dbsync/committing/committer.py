"""Commits batches, through outages of the database and around messages that it refuses."""

from typing import Final

import structlog

from millrace_core.continuity import Gap
from millrace_core.ids import MessageId
from millrace_dbsync.committing.shared_database import SharedDatabase
from millrace_dbsync.handling.prepared import PreparedBatch, divided
from millrace_dbsync.reading.intake import JournalBatch
from millrace_service import UnitHealthReporter
from millrace_store import StoreError

_MOST_LOGGED: Final = 20
"""Dead letters of one batch that are logged one by one."""

log = structlog.get_logger()


class Committer:
    """Commits prepared batches in order; `positions` says up to where each journal is in the database."""

    def __init__(self, database: SharedDatabase, health: UnitHealthReporter, positions: dict[str, MessageId]) -> None:
        self._database, self._health = database, health
        self.positions = positions

    async def store(self, batch: PreparedBatch) -> None:
        """Commit a batch; wait for a database that is gone, however long it takes.

        Messages that the database refuses go to dead letters; everything else is stored.

        Raises:
            StoreError: the database refuses even a dead letter, so no message is to blame.
        """
        try:
            await self._commit(batch)
        except StoreError as error:
            if batch.is_dead_letter or not batch.count:
                raise
            for part in divided(batch.sources):
                await self.store(await _prepared_again(part, str(error), is_single=batch.count == 1))

    async def _commit(self, batch: PreparedBatch) -> None:
        await self._database.ask(lambda store: store.commit(batch.rows), self._health)
        self.positions.update(batch.last)
        self._report(batch)

    def _report(self, batch: PreparedBatch) -> None:
        health, result = self._health, batch.result
        health.count("batches")
        health.count("messages", batch.count)
        health.count("failedExecutions", result.failed)
        health.count("deadLetters", len(result.dead))
        for gap in batch.gaps:
            self._alarm(gap)
        for dead in result.dead[:_MOST_LOGGED]:
            log.error("a message is stored as a dead letter", stream=dead.name, id=str(dead.id), reason=dead.reason)
        if result.dead:
            newest = result.dead[-1]
            health.error(f"{newest.name} {newest.id} is a dead letter: {newest.reason}")

    def _alarm(self, gap: Gap) -> None:
        self._health.count("gaps")
        self._health.count("lost", gap.missing)
        first = MessageId(gap.epoch, gap.first_seq)
        log.error("messages are lost", stream=gap.name, missing=gap.missing, first=str(first), reason=gap.reason)
        self._health.error(f"{gap.name}: {gap.missing} messages lost, starting at {first}: {gap.reason}")


async def _prepared_again(part: list[JournalBatch], reason: str, *, is_single: bool) -> PreparedBatch:
    """Return a part of a refused batch; a single message, which cannot be divided, as a dead letter."""
    if not is_single:
        return await PreparedBatch.of(part)
    (source,) = part
    return PreparedBatch.dead_letter(source, f"the database rejected the message: {reason}")
