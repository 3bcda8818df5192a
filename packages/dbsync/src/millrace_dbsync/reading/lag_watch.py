"""Telling in time that a journal will be trimmed before it is stored."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final, NoReturn

import structlog

from millrace_bus import BEGINNING, Journals
from millrace_core.ids import MessageId
from millrace_core.names import is_snapshot, trader_actions
from millrace_dbsync.plan import TenantPlan
from millrace_dbsync.reading.lag import Lag, is_numbered_below, lag_of
from millrace_service import UnitHealthReporter

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
