"""The requests of one unit that are being worked on: each a task of its own, waited for when the unit ends."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from millrace_bus.tasks import failure_of
from millrace_executor.lease.tenure import LeaseLost
from millrace_service.errors import UnitEnded
from millrace_service.tasks import run_all

DRAIN_S = 2.0
"""How long requests under way may take to end when their unit must; what is left is settled by the next run."""

log = structlog.get_logger()


class RequestTasks:
    """Starts tasks and keeps them. Unlike a task group it lets them finish when the unit ends."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[object]] = set()
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._is_raised = False

    def start(self, work: Coroutine[Any, Any, object]) -> None:
        """Run a coroutine beside the others."""
        task = asyncio.create_task(work, name=_name(work))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def run_beside(self, *endless: Coroutine[Any, Any, None]) -> None:
        """Run coroutines that never return; raise the error of the first of them, or of the tasks, that fails.

        Raises:
            CancelledInside: something within one of them cancelled it.
            UnitEnded: one of the coroutines returned.
        """
        await run_all(*map(_never_returning, endless), self._raise_failure())

    async def drain(self, limit_s: float) -> None:
        """Wait `limit_s` for the tasks to end by themselves, then cancel the rest and wait for that."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=limit_s)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        if not self._failure.cancel() and not self._is_raised:
            error = self._failure.exception()
            if isinstance(error, LeaseLost):
                return
            log.error("a request failed while its unit ended; it is resolved at the next start", cause=repr(error))

    async def _raise_failure(self) -> None:
        await asyncio.wait([self._failure])
        self._is_raised = True
        self._failure.result()

    def _ended(self, task: "asyncio.Task[object]") -> None:
        self._tasks.discard(task)
        # Unless `drain` cancelled it, something within it did, and nobody would answer its request.
        error = failure_of(task)
        if error is not None and not self._failure.done():
            self._failure.set_exception(error)


async def _never_returning(coroutine: Coroutine[Any, Any, None]) -> None:
    await coroutine
    raise UnitEnded(f"{_name(coroutine)} ended by itself")


def _name(coroutine: Coroutine[Any, Any, object]) -> str:
    return getattr(coroutine, "__qualname__", repr(coroutine))
