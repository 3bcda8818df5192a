"""Reads a tenant's journals: finds them, reads new entries, and detects lost ones."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from millrace_bus import JournalEntry, JournalPage, Journals
from millrace_core.continuity import Before, Gap, end_unknown, follows, gaps_before, gaps_within
from millrace_core.ids import BEGINNING, MessageId
from millrace_core.names import is_snapshot, trader_actions
from millrace_dbsync.plan import TenantPlan

CALL = 1_000
"""Most entries that one call asks for: Redis serves no other client meanwhile, and a strategy may be waiting."""
_FEWEST = 8
"""Least entries asked of each journal, however many journals there are."""
_WAIT_S = 0.5
"""How long a call waits for the first entry; new journals are looked for between calls."""
_LOOK_EVERY_S = 1.0


class StrayEntry(NamedTuple):
    """An entry with an id that no writer of the protocol has: it is no message, and no position can be behind it."""

    name: str
    entry: JournalEntry


@dataclass
class JournalBatch:
    """Pages that were read together and are stored together."""

    pages: dict[str, JournalPage] = field(default_factory=dict)
    """By journal, each oldest first."""
    gaps: list[Gap] = field(default_factory=list)
    strays: list[StrayEntry] = field(default_factory=list)
    count: int = 0
    """Entries in all pages."""
    has_more: bool = False
    """Whether a journal had as many entries as were asked for, so that it probably holds more."""

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing was read."""
        return not self.count and not self.strays


class Intake:
    """Reads on from where each journal was left, within bounds of time and memory.

    `stored` holds the positions up to which they are stored, and changes as more is.
    """

    def __init__(self, plan: TenantPlan, journals: Journals, stored: Mapping[str, MessageId]) -> None:
        self._plan, self._journals, self._stored = plan, journals, stored
        self._requests = trader_actions(plan.tenant)
        self._looked_at = float("-inf")
        self._unfinished: list[str] = []
        """Journals that held more than was read."""
        self._goes_on = False
        """Whether the next call should find something at once."""
        self._since_all = 0
        """Entries read since all journals were asked last."""
        self.positions: dict[str, MessageId] = {}
        """The newest entry read of each journal."""

    async def next(self) -> JournalBatch:
        """Return what is new, at most one call's worth. Journals that hold more are asked before the others.

        Waits up to 0.5 s for the first entry, unless there should be more at once, and returns an empty batch if there
        is none. Waits for Redis during an outage, however long it takes.
        """
        await self._look()
        wanted = {name: self.positions[name] for name in self._unfinished or self.positions}
        most = max(_FEWEST, min(CALL, self._plan.batch_messages) // max(1, len(wanted)))
        found = await self._journals.read(wanted, most=most, wait_s=0.0 if self._goes_on else _WAIT_S)
        batch = JournalBatch()
        for name, page in found.items():
            await self._take(batch, name, page)
        self._go_on(batch, [name for name, page in found.items() if len(page) == most])
        return batch

    def _go_on(self, batch: JournalBatch, full: list[str]) -> None:
        """Choose the next journals to read: those with more, but after a batch's worth all of them."""
        batch.has_more = self._goes_on = bool(full)
        self._since_all += batch.count
        if self._since_all >= self._plan.batch_messages or not full:
            full, self._since_all = [], 0
        self._unfinished = full

    async def _look(self) -> None:
        """Find new journals, and forget those that are gone, once a second."""
        now = time.monotonic()
        if now - self._looked_at < _LOOK_EVERY_S:
            return
        self._looked_at = now
        names = {name for name in await self._journals.names([self._plan.tenant]) if self._plan.wants(name)}
        for name in self.positions.keys() - names:
            # Not before it is stored: if the journal comes back, reading goes on from what was read.
            if self.positions[name] <= self._stored.get(name, BEGINNING):
                del self.positions[name]
        for name in (names - self.positions.keys()) | await self._mended():
            self.positions[name] = self._stored.get(name, BEGINNING)
        self._unfinished = [name for name in self._unfinished if name in self.positions]

    async def _mended(self) -> set[str]:
        """Return the journals that ended with a stray entry and were deleted since, so that they begin anew."""
        strayed = {name: at for name, at in self.positions.items() if not at.is_possible}
        extents = await self._journals.extents(strayed)
        return {name for name, at in strayed.items() if name not in extents or extents[name].newest < at}

    async def _take(self, batch: JournalBatch, name: str, page: JournalPage) -> None:
        """Add a page and the gaps before and in it, and move on behind it."""
        position, self.positions[name] = self.positions[name], page.last
        if not page.ids.are_possible:
            batch.strays += [StrayEntry(name, entry) for entry in page if not entry.id.is_possible]
            page = page.where([at.is_possible for at in page.ids])
        if not page:
            return
        if not is_snapshot(name):
            # The newest snapshot is enough: one that was trimmed unread is no loss.
            batch.gaps += await self._gaps(name, position, page)
        batch.pages[name] = page
        batch.count += len(page)

    async def _gaps(self, name: str, position: MessageId, page: JournalPage) -> list[Gap]:
        first = page[0].id
        if name == self._requests:
            before = await self._before(name, first)
            return end_unknown(name, position, before)
        gaps = gaps_within(name, page.ids)
        if not follows(position, first):
            gaps = gaps_before(name, position, first, await self._before(name, first)) + gaps
        return gaps

    async def _before(self, name: str, first: MessageId) -> Before:
        last = await self._journals.last_before(name, first)
        extent = (await self._journals.extents([name])).get(name)
        return Before(last, extent is not None and extent.added > extent.length)
