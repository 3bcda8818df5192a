import asyncio

import pytest

from millrace_bus.tasks import CancelledInside
from millrace_executor.request_tasks import RequestTasks
from millrace_service.errors import UnitEnded


async def test_the_first_crash_of_a_task_ends_the_whole() -> None:
    """The body is ended when one of the tasks fails, with that task's error."""
    tasks, never = RequestTasks(), asyncio.Event()

    async def fail() -> None:
        raise ValueError("broken")

    async def main() -> None:
        tasks.start(fail())
        await never.wait()

    with pytest.raises(ValueError, match="broken"):
        await tasks.run_beside(main())
    await tasks.drain(0)


async def test_tasks_may_end_before_the_whole_does() -> None:
    """Draining waits for what ends in time and cancels what does not."""
    tasks, ended, go = RequestTasks(), [], asyncio.Event()

    async def quick() -> None:
        await go.wait()
        ended.append("quick")

    async def slow() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("slow was cancelled")

    tasks.start(quick())
    tasks.start(slow())
    asyncio.get_running_loop().call_soon(go.set)
    await tasks.drain(0.05)
    assert ended == ["quick", "slow was cancelled"]


async def test_a_task_that_is_cancelled_from_inside_is_a_crash() -> None:
    """A request that something within it cancelled ends the whole, as any failure does."""
    tasks, never = RequestTasks(), asyncio.Event()

    async def cancelled_by_what_it_waits_for() -> None:
        inner = asyncio.create_task(never.wait())
        asyncio.get_running_loop().call_soon(inner.cancel)
        await inner

    async def main() -> None:
        tasks.start(cancelled_by_what_it_waits_for())
        await never.wait()

    with pytest.raises(CancelledInside, match="cancelled_by_what_it_waits_for"):
        async with asyncio.timeout(5):
            await tasks.run_beside(main())
    await tasks.drain(0)


async def test_an_endless_coroutine_that_returns_is_a_failure() -> None:
    """A unit whose reading ends by itself must not go on without it."""
    tasks, never = RequestTasks(), asyncio.Event()

    async def returns() -> None:
        """Return although it should not."""

    async def goes_on() -> None:
        await never.wait()

    with pytest.raises(UnitEnded, match="returns"):
        async with asyncio.timeout(5):
            await tasks.run_beside(goes_on(), returns())
    await tasks.drain(0)
