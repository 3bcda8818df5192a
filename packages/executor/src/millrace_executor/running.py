"""Tasks of one unit that run beside each other, are waited for when it ends, and whose crash ends it."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

log = structlog.get_logger()


class Running:
    """Starts tasks and keeps them; unlike a task group it lets them finish before it ends."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._crash: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._raised: BaseException | None = None

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine beside the others."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def until_crash(self, *mains: Coroutine[Any, Any, None]) -> None:
        """Run coroutines until one of them ends; raise what it, or the first of the tasks to fail, raises."""
        running = [asyncio.create_task(main) for main in mains]
        ends: list[asyncio.Future[None]] = [*running, self._crash]
        try:
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if self._crash in done:
                self._raised = self._crash.exception()
            for end in done:
                end.result()
        finally:
            for task in running:
                task.cancel()
            await asyncio.wait(running)

    async def drain(self, limit_s: float) -> None:
        """Wait a while for the tasks to end by themselves, then cancel the rest and wait for that."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=limit_s)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        if not self._crash.cancel() and (error := self._crash.exception()) is not self._raised:
            log.error("a request failed while its unit ended; its successor settles it", cause=repr(error))

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if not self._crash.done():
            self._crash.set_exception(error)
