"""Lag: how far the database is behind the journals, relative to the journals' retention."""

import asyncio
from collections.abc import Collection, Mapping
from typing import Final, NamedTuple, NoReturn

import structlog

from millrace_bus import Extent, Journals
from millrace_core.ids import BEGINNING, MessageId
from millrace_core.names import is_snapshot, trader_actions
from millrace_dbsync.plan import TenantPlan
from millrace_dbsync.reading.foreign import ForeignEntries
from millrace_dbsync.reading.unmatched import UnmatchedAssets
from millrace_service import UnitHealthReporter

USUAL_RETENTION = 10_000
"""What a journal is assumed to keep before it was ever trimmed, in entries."""


class Lag(NamedTuple):
    """Entries of one journal that are not stored yet."""

    behind: int
    """Entries."""
    share: float
    """Share of what the journal keeps; at 1 messages begin to be lost."""


def lag_of(stored: MessageId, extent: Extent, *, by_time: bool = False) -> Lag:
    """Return the lag of a journal that is stored up to `stored`.

    It is exact within an epoch, and while the stored message is in the oldest epoch of the journal; otherwise it is an
    upper bound. For journals whose ids are times (requests to trade, `by_time`) it is an estimate.
    """
    behind = _behind(stored, extent, by_time=by_time)
    # A journal that was never trimmed keeps at least what it holds, and probably twice that.
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

    A writer resends what Redis lost in its own epoch, and a new epoch is greater than those in the journal. So this
    happens only after a journal was lost whole and a clock went back.
    """
    return newest.epoch < stored.epoch and newest_before is not None and newest != newest_before


EVERY_S: Final = 2.0

log = structlog.get_logger()


class LagWatch:
    """Reports how far storing is behind (`behind`, `retentionUsedPercent`), and warns before messages are lost."""

    def __init__(
        self, plan: TenantPlan, journals: Journals, stored: Mapping[str, MessageId], health: UnitHealthReporter
    ) -> None:
        self._plan, self._journals, self._stored, self._health = plan, journals, stored, health
        self._unmatched = UnmatchedAssets(plan.assets)
        self._foreign = ForeignEntries(plan.tenant, health)
        self._limit = plan.warn_at_percent / 100
        self._requests = trader_actions(plan.tenant)
        self._newest: dict[str, MessageId] = {}
        """By journal, the newest entry when last looked at."""
        self._late: set[str] = set()
        self._below: set[str] = set()

    async def run(self) -> NoReturn:
        """Look every 2 s, until cancelled; the unit's detail names assets that match nothing."""
        while True:
            names = await self._journals.names([self._plan.tenant])
            self._foreign.among(names)
            await self.look([name for name in names if self._plan.wants(name)])
            if self._health.current_state == "live":
                self._health.state("live", self._unmatched.among(names))
            await asyncio.sleep(EVERY_S)

    async def look(self, journals: Collection[str]) -> None:
        """Look once at these journals. Snapshots, and keys that are no journals, do not count.

        Warns once about each journal whose lag exceeds the limit, and again after it had caught up; and about each that
        is gone with messages that were not stored.
        """
        every = await self._journals.extents(journals)
        stopped = self._foreign.stopping(every)
        extents = {name: extent for name, extent in every.items() if not is_snapshot(name) and name not in stopped}
        lags = {name: self._lag_of(name, extent) for name, extent in extents.items()}
        self._health.gauge("streams", len(lags))
        self._health.gauge("behind", sum(lag.behind for lag in lags.values()))
        worst = max((lag.share for lag in lags.values()), default=0.0)
        self._health.gauge("retentionUsedPercent", round(100 * worst, 1))
        self._warn_of_gone(extents)
        self._warn_of_lag(lags)
        self._warn_of_epochs(extents)
        self._newest = {name: extent.newest for name, extent in extents.items()}

    def _lag_of(self, name: str, extent: Extent) -> Lag:
        return lag_of(self._stored.get(name, BEGINNING), extent, by_time=name == self._requests)

    def _warn_of_gone(self, present: Mapping[str, Extent]) -> None:
        for name in self._newest.keys() - present.keys():
            stored, newest = self._stored.get(name, BEGINNING), self._newest[name]
            if stored < newest:
                log.error("a journal is gone before it was stored", stream=name, stored=str(stored), newest=str(newest))
                self._health.error(f"{name} is gone from Redis: stored up to {stored}, and it had reached {newest}")

    def _warn_of_lag(self, lags: dict[str, Lag]) -> None:
        late = {name: lag for name, lag in lags.items() if lag.share > self._limit}
        for name in late.keys() - self._late:
            lag = late[name]
            words = f"{name}: {lag.behind} messages wait, {lag.share:.0%} of what its journal keeps"
            log.warning("storing is too slow: messages will be lost", stream=name, behind=lag.behind)
            self._health.error(f"{words}; beyond 100 % they are lost")
        if late:
            self._health.state("stale", f"{len(late)} journals are stored late; see lastErrors")
        elif self._late:
            log.info("storing has caught up")
            self._health.state("live")
        self._late = set(late)

    def _warn_of_epochs(self, present: Mapping[str, Extent]) -> None:
        self._below &= present.keys()
        for name, extent in present.items():
            stored = self._stored.get(name, BEGINNING)
            if is_numbered_below(stored, extent.newest, self._newest.get(name)):
                self._warn_of_epoch(name, stored, extent.newest)

    def _warn_of_epoch(self, name: str, stored: MessageId, newest: MessageId) -> None:
        if name in self._below:
            return
        self._below.add(name)
        # Requests have the time of Redis as their ids.
        whose, then = ("the server", "") if name == self._requests else ("its writer", " and restart the writer")
        words = (
            f"{name} is written as {newest.epoch}-… although {stored.epoch}-… is stored: Redis lost the journal, and "
            f"the clock of {whose} is behind. Nothing of it is stored: correct that clock{then}"
        )
        log.error(
            "ids of a journal are below the stored ones; correct the clock by which they are made",
            stream=name,
            newest=str(newest),
            stored=str(stored),
        )
        self._health.error(words)
