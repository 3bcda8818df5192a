import asyncio
from dataclasses import replace

from millrace_core.names import Tenant
from millrace_dbsync.plan import TenantPlan
from millrace_dbsync.reader.prepared import ROOM, BatchSummary, PreparedBatch, PreparedQueue, collect
from millrace_store import Batch

PATIENT = TenantPlan(Tenant("Ann"), ("stream.Ann.*",), True, 3_600.0, 10_000, 50)


def arrived(*batches: tuple[int, bool], ended: bool = False) -> PreparedQueue:
    """Return a queue of batches: of each the number of messages, and whether more waits."""
    queue: PreparedQueue = asyncio.Queue()
    for count, has_more in batches:
        queue.put_nowait(PreparedBatch(BatchSummary(count, {}, [], has_more), Batch(), None))
    if ended:
        queue.put_nowait(None)
    return queue


async def counts(queue: PreparedQueue, plan: TenantPlan = PATIENT) -> list[int]:
    async with asyncio.timeout(10):
        return [prepared.summary.count for prepared in await collect(queue, plan)]


async def test_what_is_all_there_is_goes_at_once() -> None:
    """On a quiet day nobody waits."""
    assert await counts(arrived((3, False))) == [3]
    assert await counts(arrived((3, False), (4, False))) == [3, 4]


async def test_while_more_waits_a_batch_is_waited_for() -> None:
    """Others are waited for; an empty batch says that there is no more after all."""
    queue = arrived((1_000, True))
    collecting = asyncio.create_task(counts(queue))
    await asyncio.sleep(0)
    assert not collecting.done()
    queue.put_nowait(PreparedBatch(BatchSummary(0, {}, [], has_more=False), Batch(), None))
    assert await collecting == [1_000, 0]
    assert await counts(arrived((5_000, True), (5_000, True))) == [5_000, 5_000]


async def test_no_more_than_a_batch_goes_collect() -> None:
    """However many are ready."""
    queue = arrived(*[(5_000, True)] * 5)
    assert [len(await counts(queue)) for _ in range(2)] == [2, 2]


async def test_nobody_waits_for_what_there_is_no_room_for() -> None:
    """Nothing more is read until these are stored, however small they are."""
    assert await counts(arrived(*[(1, True)] * ROOM)) == [1] * ROOM


async def test_nobody_waits_longer_than_the_interval() -> None:
    """What is there goes then."""
    assert await counts(arrived((1, True)), replace(PATIENT, batch_interval_s=0.01)) == [1]


async def test_at_the_end_what_is_there_is_given_and_then_nothing() -> None:
    """Also when it is little."""
    queue = arrived((1, True), ended=True)
    assert await counts(queue) == [1]
    assert await counts(queue) == []
