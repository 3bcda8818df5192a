"""Coroutines that run as one."""

import asyncio

import pytest

from millrace_bus.tasks import CancelledInside
from millrace_service.tasks import first_of, run_all


async def _raise(error: Exception) -> None:
    raise error


async def _note_cancellation(ended: list[str]) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        ended.append("cancelled")


async def test_a_failure_cancels_the_others_and_is_raised_as_it_is() -> None:
    """Callers see the raised error, not a group that wraps it; nothing keeps running."""
    ended: list[str] = []
    with pytest.raises(LookupError, match="gone"):
        await run_all(_note_cancellation(ended), _raise(LookupError("gone")))
    assert ended == ["cancelled"]


async def test_it_returns_once_all_have_returned() -> None:
    """A coroutine that returns is no failure: the others go on to their own end."""
    steps: list[str] = []

    async def step(name: str, before: asyncio.Event | None, then: asyncio.Event) -> None:
        if before is not None:
            await before.wait()
        steps.append(name)
        then.set()

    first, second = asyncio.Event(), asyncio.Event()
    await run_all(step("second", first, second), step("first", None, first))
    assert steps == ["first", "second"]


async def test_a_task_that_is_cancelled_from_inside_has_failed() -> None:
    """Awaiting a cancelled future would end a task silently if that were no failure."""
    ended: list[str] = []
    gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    gone.cancel()

    async def await_it() -> None:
        await gone

    with pytest.raises(CancelledInside, match="await_it"):
        await run_all(await_it(), _note_cancellation(ended))
    assert ended == ["cancelled"]


async def test_a_cancellation_from_outside_stays_one() -> None:
    """A cancellation from outside is raised once every coroutine has ended."""
    ended: list[str] = []
    task = asyncio.create_task(run_all(_note_cancellation(ended), _note_cancellation(ended)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["cancelled", "cancelled"]


async def test_the_first_end_cancels_the_others_and_waits_for_them() -> None:
    """A coroutine that returns ends the others, and nothing has failed."""
    ended: list[str] = []
    await first_of(asyncio.sleep(0), _note_cancellation(ended))
    assert ended == ["cancelled"]


async def test_the_first_failure_is_raised_once_all_have_ended() -> None:
    """A coroutine that fails ends the others, and its error is raised as it is."""
    ended: list[str] = []
    with pytest.raises(LookupError, match="gone"):
        await first_of(_note_cancellation(ended), _raise(LookupError("gone")))
    assert ended == ["cancelled"]


async def test_what_fails_while_it_is_cancelled_is_raised() -> None:
    """An error of the clean-up is not lost, though another coroutine ended first."""

    async def cleans_up_badly() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise OSError("cleaning up")

    with pytest.raises(OSError, match="cleaning up"):
        await first_of(cleans_up_badly(), asyncio.sleep(0))


async def test_a_cancellation_from_inside_ends_the_others_and_is_a_failure() -> None:
    """A coroutine that awaits a cancelled future would otherwise pass for one that returned."""
    gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    gone.cancel()

    async def await_it() -> None:
        await gone

    with pytest.raises(CancelledInside, match="await_it"):
        await first_of(await_it(), asyncio.Event().wait())
