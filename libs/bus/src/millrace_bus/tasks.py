"""Ends of tasks: the one place that tells a task that was asked to end from one that failed."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from millrace_bus.errors import TaskFailed
from millrace_core.errors import MillraceError


class CancelledInside(MillraceError):
    """A task was cancelled from inside, which counts as a failure: nobody asked for its end."""

    def __init__(self, task: str) -> None:
        super().__init__(f"{task} was cancelled from inside")
        self.task = task


def was_cancelled() -> bool:
    """Tell whether the running task was asked to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def failure_of(task: "asyncio.Task[Any]") -> BaseException | None:
    """Return why a task that is done failed; None if it returned, or was asked to end and did."""
    if not task.cancelled():
        return task.exception()
    return None if task.cancelling() else CancelledInside(task.get_name())


class BackgroundTask:
    """Runs a coroutine until `close`. Every other end is a failure, a cancellation from inside included."""

    def __init__(
        self, coroutine: Coroutine[Any, Any, object], name: str, on_failed: Callable[[TaskFailed], None]
    ) -> None:
        self._on_failed = on_failed
        self._failure: TaskFailed | None = None
        self._is_closing = False
        self._task = asyncio.create_task(coroutine, name=name)
        self._task.add_done_callback(self._ended)

    @property
    def is_done(self) -> bool:
        """Tell whether it has ended."""
        return self._task.done()

    def check(self) -> None:
        """Do nothing while all is well.

        Raises:
            TaskFailed: it has failed; the cause is what it raised.
        """
        if self._failure is not None:
            # A new one each time: each that is raised collects a traceback of its own.
            raise TaskFailed(self._task.get_name(), self._failure.__cause__)

    async def close(self) -> None:
        """End it, and wait for that."""
        self._is_closing = True
        self._task.cancel()
        await asyncio.wait([self._task])

    def _ended(self, task: "asyncio.Task[object]") -> None:
        error = failure_of(task)
        # A cancellation that was asked for comes from `close`, or from an event loop that ends.
        if task.cancelled() and (self._is_closing or error is None):
            return
        self._failure = TaskFailed(task.get_name(), error)
        if not self._is_closing:
            self._on_failed(self._failure)
