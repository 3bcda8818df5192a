"""How far the database is behind the journals, against how much of it the journals keep. Pure."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final, NamedTuple, NoReturn

import structlog

from millrace_bus import BEGINNING, Extent, Journals
from millrace_core.ids import MessageId
from millrace_core.names import is_snapshot, trader_actions
from millrace_dbsync.plan import TenantPlan
from millrace_service import UnitHealthReporter

USUAL_RETENTION = 10_000
"""What a journal is taken to keep before it was ever trimmed."""


class Lag(NamedTuple):
    """What of one journal is not stored yet."""

    behind: int
    """Entries."""
    share: float
    """Of what the journal keeps; at 1 messages begin to be lost."""


def lag_of(stored: MessageId, extent: Extent, *, by_time: bool = False) -> Lag:
    """Compare what is stored with what is there.

    Exact within an epoch and while the stored message is still in the oldest one; otherwise at most so much.
    `by_time` is for journals whose ids are times (requests to trade): there it is an estimate.
    """
    behind = _behind(stored, extent, by_time=by_time)
    # One that was never trimmed may keep more than it holds; twice that at least, or it would soon be.
    keeps = extent.length if extent.added > extent.length else max(2 * extent.length, USUAL_RETENTION)
    return Lag(behind, behind / keeps if keeps else 0.0)


def _behind(stored: MessageId, extent: Extent, *, by_time: bool) -> int:
    oldest, newest, length = extent.oldest, extent.newest, extent.length
    if oldest is None or stored >= newest:
        return 0
    if stored < oldest:
        return length
    if by_time:
        return max(1, length * (newest.epoch - stored.epoch) // max(1, newest.epoch - oldest.epoch))
    if stored.epoch == newest.epoch:
        return min(length, newest.seq - stored.seq)
    if stored.epoch == oldest.epoch:
        return length - (stored.seq - oldest.seq + 1)
    return length


def is_numbered_below(stored: MessageId, newest: MessageId, newest_before: MessageId | None) -> bool:
    """Tell whether a journal grows below what is stored: Redis lost it, and its new writer's clock is behind.

    A writer that sends again what Redis lost does so in its own epoch, and one that begins a new epoch takes a
    greater one: only a journal that was lost whole, and a clock that went back, lead here.
    """
    return newest.epoch < stored.epoch and newest_before is not None and newest != newest_before


EVERY_S: Final = 2.0

log = structlog.get_logger()


class LagWatch:
    """Compares what is stored with what the journals hold, and reports it: `behind`, `retentionUsedPercent`."""

    def __init__(
        self, plan: TenantPlan, journals: Journals, stored: Mapping[str, MessageId], health: UnitHealthReporter
    ) -> None:
        self._journals, self._stored, self._health = journals, stored, health
        self._limit = plan.warn_at_percent / 100
        self._requests = trader_actions(plan.tenant)
        self._newest: dict[str, MessageId] = {}
        self._late: set[str] = set()
        self._below: set[str] = set()

    async def run(self, names: Callable[[], Awaitable[Collection[str]]]) -> NoReturn:
        """Look every 2 s at the journals that `names` gives, until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self.look(await names())

    async def look(self, journals: Collection[str]) -> int:
        """Compare once; give how many messages wait in all.

        Warns of each journal of which more waits than the limit allows, once each time. Snapshots do not count.
        """
        names = [name for name in journals if not is_snapshot(name)]
        extents = await self._journals.extents(names)
        lags: dict[str, Lag] = {}
        for name, extent in extents.items():
            stored = self._stored.get(name, BEGINNING)
            lags[name] = lag_of(stored, extent, by_time=name == self._requests)
            if name != self._requests and is_numbered_below(stored, extent.newest, self._newest.get(name)):
                self._warn_of_epoch(name, stored, extent.newest)
            self._newest[name] = extent.newest
        self._health.gauge("streams", len(names))
        behind = sum(lag.behind for lag in lags.values())
        self._health.gauge("behind", behind)
        worst = max((lag.share for lag in lags.values()), default=0.0)
        self._health.gauge("retentionUsedPercent", round(100 * worst, 1))
        self._warn_of_lag(lags)
        return behind

    def _warn_of_lag(self, lags: dict[str, Lag]) -> None:
        late = {name: lag for name, lag in lags.items() if lag.share > self._limit}
        for name in late.keys() - self._late:
            lag = late[name]
            words = f"{name}: {lag.behind} messages wait, {lag.share:.0%} of what its journal keeps"
            log.warning("messages will be lost unless storing gets faster", stream=name, behind=lag.behind)
            self._health.error(f"{words}; beyond 100 % they are lost")
        if late:
            self._health.state("stale", f"{len(late)} journals are stored late; see lastErrors")
        elif self._late:
            log.info("storing has caught up")
            self._health.state("live")
        self._late = set(late)

    def _warn_of_epoch(self, name: str, stored: MessageId, newest: MessageId) -> None:
        if name in self._below:
            return
        self._below.add(name)
        words = (
            f"{name} is written as {newest.epoch}-… although {stored.epoch}-… is stored: Redis lost the journal, and "
            "its writer's clock is behind; nothing of it is stored until that writer is started anew, its clock right"
        )
        log.error("a journal is numbered below what is stored", stream=name, newest=str(newest), stored=str(stored))
        self._health.error(words)
