"""Was a task asked to end, or cancelled by something within it? The one place that decides it."""

import asyncio
from typing import Any

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
