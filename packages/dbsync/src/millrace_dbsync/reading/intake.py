"""Reading a tenant's journals: which there are, what is new in them, and what they no longer have."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from millrace_bus import BEGINNING, JournalPage, Journals
from millrace_core.ids import MessageId
from millrace_core.names import is_snapshot, trader_actions
from millrace_dbsync.plan import TenantPlan
from millrace_dbsync.reading.continuity import Before, Hole, end_unknown, follows, holes_before, holes_within

CALL = 1_000
"""Most entries that one call asks for: Redis serves nobody else meanwhile, and a strategy may be waiting."""
_FEWEST = 8
"""Of each journal, however many there are."""
_WAIT_S = 0.5
"""How long a call waits for the first entry; new journals are looked for between calls."""
_LOOK_EVERY_S = 1.0


@dataclass
class Haul:
    """What was read together and is to be stored together."""

    pages: dict[str, JournalPage] = field(default_factory=dict)
    """By journal, each oldest first."""
    holes: list[Hole] = field(default_factory=list)
    count: int = 0
    """Entries in all pages."""
    has_more: bool = False
    """Whether journals gave as much as was asked for: there is more, unless that was just all."""


class Intake:
    """Reads on from where each journal was left, within bounds of time and memory.

    `all_names` gives the names of all journals there are; `stored` holds the positions up to which they are stored.
    """

    def __init__(
        self,
        plan: TenantPlan,
        journals: Journals,
        all_names: Callable[[], Awaitable[set[str]]],
        stored: Mapping[str, MessageId],
    ) -> None:
        self._plan, self._journals, self._all_names, self._stored = plan, journals, all_names, stored
        self._requests = trader_actions(plan.tenant)
        self._looked_at = float("-inf")
        self._unfinished: list[str] = []
        """Journals that had more than was read of them."""
        self._goes_on = False
        """Whether there should be something at once."""
        self._since_all = 0
        """Entries read since all journals were asked."""
        self.positions: dict[str, MessageId] = {}
        """Up to where each journal was read."""

    async def next(self) -> Haul:
        """Read what is new, one call's worth: of every journal, and while some have more, a batch's worth of those.

        Waits up to half a second for something, unless there should be more at once; gives an empty haul then. Waits
        out any outage of Redis.
        """
        await self._look()
        wanted = {name: self.positions[name] for name in self._unfinished or self.positions}
        most = max(_FEWEST, min(CALL, self._plan.batch_messages) // max(1, len(wanted)))
        found = await self._journals.read(wanted, most=most, wait_s=0.0 if self._goes_on else _WAIT_S)
        haul = Haul()
        for name, page in found.items():
            await self._take(haul, name, page)
        self._go_on(haul, most)
        return haul

    def _go_on(self, haul: Haul, most: int) -> None:
        """Choose what is read next: those with more, but before long all of them again."""
        full = [name for name, page in haul.pages.items() if len(page) == most]
        haul.has_more = self._goes_on = bool(full)
        self._since_all += haul.count
        if self._since_all >= self._plan.batch_messages or not full:
            full, self._since_all = [], 0
        self._unfinished = full

    async def _look(self) -> None:
        """Find journals that are new, once a second."""
        now = time.monotonic()
        if now - self._looked_at < _LOOK_EVERY_S:
            return
        self._looked_at = now
        for name in await self._all_names():
            if name not in self.positions and self._plan.wants(name):
                self.positions[name] = self._stored.get(name, BEGINNING)

    async def _take(self, haul: Haul, name: str, page: JournalPage) -> None:
        """Add a page to the haul, with the losses that it shows, and move on behind it."""
        position = self.positions[name]
        if not is_snapshot(name):
            # Of snapshots the newest is enough: one that was trimmed unread is no loss.
            haul.holes += await self._holes(name, position, page)
        haul.pages[name] = page
        haul.count += len(page)
        self.positions[name] = page.last

    async def _holes(self, name: str, position: MessageId, page: JournalPage) -> list[Hole]:
        first = page[0].id
        if name == self._requests:
            before = await self._before(name, first)
            return end_unknown(name, position, before)
        holes = holes_within(name, page.ids)
        if not follows(position, first):
            holes = holes_before(name, position, first, await self._before(name, first)) + holes
        return holes

    async def _before(self, name: str, first: MessageId) -> Before:
        last = await self._journals.last_before(name, first)
        extent = (await self._journals.extents([name])).get(name)
        return Before(last, extent is not None and extent.added > extent.length)
