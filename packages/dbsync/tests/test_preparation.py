import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from millrace_bus import Bus, JournalPage
from millrace_core.names import Tenant
from millrace_dbsync.handling.preparation import Preparation
from millrace_dbsync.plan import TenantPlan
from millrace_dbsync.reading.intake import Intake, JournalBatch

NAME = "stream.Ann.binance.watchTrades.KCS/USDT"
PATIENT = TenantPlan(Tenant("Ann"), ("stream.Ann.*",), True, 3_600.0, 10_000, 50)


def read(count: int, *, has_more: bool) -> JournalBatch:
    page = JournalPage([b"1-%d" % (seq + 1) for seq in range(count)], [b"{"] * count)
    return JournalBatch({NAME: page} if count else {}, count=count, has_more=has_more)


class Scripted(Intake):
    """An intake that finds what a test says, and after that waits forever, as during an outage of Redis."""

    def __init__(self, *found: JournalBatch) -> None:
        self._found = list(found)

    async def next(self) -> JournalBatch:
        """Return what is found next."""
        if not self._found:
            await asyncio.Event().wait()
        return self._found.pop(0)


@asynccontextmanager
async def running(preparation: Preparation) -> AsyncIterator[None]:
    task = asyncio.create_task(preparation.run())
    try:
        async with asyncio.timeout(60):
            yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def counts(*found: JournalBatch, plan: TenantPlan = PATIENT, batches: int = 1) -> list[int]:
    preparation = Preparation(Scripted(*found), plan)
    async with running(preparation):
        return [(await preparation.ready.get()).count for _ in range(batches)]


async def test_what_is_all_there_is_goes_at_once() -> None:
    """At low rates nothing waits for more; what comes to nothing is no batch."""
    assert await counts(read(0, has_more=False), read(3, has_more=False)) == [3]


async def test_while_more_waits_it_is_collected() -> None:
    """Until there is no more after all, which an empty answer says."""
    assert await counts(read(1_000, has_more=True), read(7, has_more=False)) == [1_007]
    assert await counts(read(1_000, has_more=True), read(0, has_more=False)) == [1_000]


async def test_no_more_than_a_batch_is_collected() -> None:
    """However much waits."""
    assert await counts(*[read(5_000, has_more=True)] * 4, batches=2) == [10_000, 10_000]


async def test_a_commit_waits_no_longer_than_the_interval() -> None:
    """What was read is stored then, also while Redis is away and nothing more can be read."""
    assert await counts(read(1, has_more=True), plan=replace(PATIENT, batch_interval_s=0.01)) == [1]


@pytest.mark.parametrize("messages", [3, 4_000])
async def test_what_is_read_is_prepared_once_and_in_order(bus: Bus, feed: Any, messages: int) -> None:
    """The rows are the journal's messages, one for one, however often it has to be read."""
    feed.write(messages)
    await feed.drained()
    plan = replace(PATIENT, batch_interval_s=0.01, batch_messages=1_500, assets=(str(feed.trades.name),))
    ids: list[tuple[int, int]] = []
    async with bus.journals() as journals:
        preparation = Preparation(Intake(plan, journals, {}), plan)
        async with running(preparation):
            while not ids or ids[-1] < feed.trades.last:
                for run in (await preparation.ready.get()).rows.written[str(feed.trades.name)].runs:
                    ids += [(run.epoch, seq) for seq in range(run.first, run.last + 1)]
    last = feed.trades.last
    assert ids == [(last.epoch, seq) for seq in range(1, last.seq + 1)]
