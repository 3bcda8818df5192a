"""Failures in the tasks and callbacks of one run: the first one fails its unit, and none goes unnoticed."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, NoReturn, ParamSpec

from millrace_bus.tasks import CancelledInside

P = ParamSpec("P")


class Failures:
    """Keeps the first failure of a run. A `with` block reports what is raised in it, and lets it pass."""

    def __init__(self) -> None:
        self._first: BaseException | None = None
        self._reported = asyncio.Event()

    def report(self, error: BaseException) -> None:
        """Let the run fail with this error, unless it has failed already."""
        self._first = self._first or error
        self._reported.set()

    def watch(self, task: "asyncio.Task[Any]") -> None:
        """Report the task's error. A cancelled task has failed too, unless the run has ended."""
        task.add_done_callback(self._ended)

    def unwatch(self, task: "asyncio.Task[Any]") -> None:
        """Report nothing of the task any more."""
        task.remove_done_callback(self._ended)

    def watched(self, call: Callable[P, None]) -> Callable[P, None]:
        """Return a callback that reports what `call` raises, and raises it."""

        def watched_call(*args: P.args, **kwargs: P.kwargs) -> None:
            with self:
                call(*args, **kwargs)

        return watched_call

    async def first(self) -> NoReturn:
        """Wait for the first failure, and raise it."""
        await self._reported.wait()
        raise self._first or AssertionError("reported without an error")

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        if error is not None:
            self.report(error)

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        if task.cancelled():  # Even if something within it called `cancel`, as `failure_of` would not see.
            self.report(CancelledInside(task.get_name()))
        elif (error := task.exception()) is not None:
            self.report(error)
