"""Which end of a task is a failure."""

import asyncio

from millrace_bus.tasks import CancelledInside, failure_of, was_cancelled


async def _ends(error: BaseException | None = None) -> None:
    if error is not None:
        raise error


async def _ended(task: "asyncio.Task[None]") -> "asyncio.Task[None]":
    await asyncio.wait({task})
    return task


async def test_a_task_that_returned_has_no_failure() -> None:
    """A return is an ordinary end."""
    assert failure_of(await _ended(asyncio.create_task(_ends()))) is None


async def test_an_error_is_the_failure() -> None:
    """What a task raised is why it failed."""
    error = ValueError("x")
    assert failure_of(await _ended(asyncio.create_task(_ends(error)))) is error


async def test_a_cancellation_from_inside_is_a_failure_that_names_the_task() -> None:
    """A task that cancelled itself was not asked to end."""
    task = await _ended(asyncio.create_task(_ends(asyncio.CancelledError()), name="reader"))
    assert isinstance(failure_of(task), CancelledInside)
    assert str(failure_of(task)) == "reader was cancelled from inside"


async def test_a_task_that_was_asked_to_end_has_no_failure() -> None:
    """Cancelled from outside, a task knows it while it ends, and has not failed."""
    saw = []

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            saw.append(was_cancelled())
            raise

    task = asyncio.create_task(waits())
    await asyncio.sleep(0)
    task.cancel()
    assert failure_of(await _ended(task)) is None
    assert saw == [True]


async def test_a_task_that_cleans_up_badly_has_failed() -> None:
    """An error while ending is a failure, also when the end was asked for."""

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise OSError("cleaning up")

    task = asyncio.create_task(waits())
    await asyncio.sleep(0)
    task.cancel()
    assert isinstance(failure_of(await _ended(task)), OSError)


def test_without_a_task_nothing_was_cancelled() -> None:
    """A callback of the event loop runs in no task."""

    async def main() -> bool:
        answered = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(lambda: answered.set_result(was_cancelled()))
        return bool(await answered)

    assert asyncio.run(main()) is False
