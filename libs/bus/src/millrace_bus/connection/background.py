"""Tasks that run until they are closed, and never end unnoticed."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from millrace_bus.errors import TaskFailed


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
        # A cancellation that was asked for comes from `close`, or from an event loop that ends.
        if task.cancelled() and (self._is_closing or task.cancelling()):
            return
        error = None if task.cancelled() else task.exception()
        self._failure = TaskFailed(task.get_name(), error)
        if not self._is_closing:
            self._on_failed(self._failure)
