"""Prepared batches: what was read together, as rows that are ready to be committed."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from millrace_core.clock import now_ms
from millrace_core.ids import MessageId
from millrace_dbsync.handling.handler import DeadEntry, HandlingResult
from millrace_dbsync.plan import TenantPlan
from millrace_dbsync.reading.continuity import Gap
from millrace_dbsync.reading.intake import JournalBatch
from millrace_store import Batch

ROOM: Final = 32
"""Most prepared batches in memory: those being committed, those of the next commit, and a few on their way."""


@dataclass(frozen=True)
class BatchSummary:
    """Summary of a prepared batch, apart from its rows."""

    count: int
    """Entries."""
    last: dict[str, MessageId]
    """The newest entry of each journal."""
    gaps: list[Gap]
    has_more: bool
    """Whether more entries waited in the journals than were read."""
    dead: list[DeadEntry] = field(default_factory=list)
    failed: int = 0
    """Answers that were not `done`."""


@dataclass(frozen=True)
class PreparedBatch:
    """A batch of journal pages, as rows."""

    summary: BatchSummary
    rows: Batch
    source: JournalBatch | None
    """The pages, so that the batch can be divided; None when another process read them."""
    release: Callable[[], None] = lambda: None
    """Call it after the commit: there is room for another batch."""
    is_dead_letter: bool = False
    """Whether it is a single message that goes to dead letters."""

    @classmethod
    def of(cls, source: JournalBatch, rows: Batch, result: HandlingResult) -> "PreparedBatch":
        """Return the prepared batch of pages whose rows were made, and add the gaps of the pages to the rows."""
        for gap in source.gaps:
            rows.gap(gap.name, gap.epoch, gap.first_seq, gap.last_seq, now_ms(), gap.reason)
        last = {name: page.last for name, page in source.pages.items()}
        summary = BatchSummary(source.count, last, source.gaps, source.has_more, result.dead, result.failed)
        return cls(summary, rows, source)


PreparedQueue: TypeAlias = "asyncio.Queue[PreparedBatch | None]"
"""Prepared batches in order; None after the last one."""


async def collect(arrived: PreparedQueue, plan: TenantPlan) -> list[PreparedBatch]:
    """Return the batches to commit together; an empty list when no more will come.

    Waits for the first one. While the journals hold more, waits for others too: until there are enough messages, the
    interval is over, or there is no room for more. Each commit has a fixed cost, so under load larger ones are cheaper.
    """
    collected: list[PreparedBatch] = []
    count = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(None) as patience:
            while (prepared := await arrived.get()) is not None:
                if not collected:
                    patience.reschedule(asyncio.get_running_loop().time() + plan.batch_interval_s)
                collected.append(prepared)
                count += prepared.summary.count
                is_all = arrived.empty() and not prepared.summary.has_more
                if is_all or count >= plan.batch_messages or len(collected) == ROOM:
                    return collected
            if collected:
                arrived.put_nowait(None)
    return collected
