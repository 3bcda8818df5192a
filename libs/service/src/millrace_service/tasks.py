"""Coroutines that run as one: any failure ends all of them.

`asyncio.TaskGroup` does the work, except for two things: it takes a task that was cancelled from inside for an ordinary
end, so that a stream could die unnoticed, and it wraps errors, where callers want the error itself.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from millrace_service.errors import CancelledInside


async def run_all(*coroutines: Coroutine[Any, Any, Any]) -> None:
    """Run coroutines until all have returned. When one fails, cancel the others and raise its error as it is.

    Raises:
        CancelledInside: a coroutine was cancelled from inside.
    """
    try:
        async with asyncio.TaskGroup() as group:
            for coroutine in coroutines:
                group.create_task(_guarded(coroutine))
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def _guarded(coroutine: Coroutine[Any, Any, Any]) -> None:
    try:
        await coroutine
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise CancelledInside(getattr(coroutine, "__qualname__", repr(coroutine))) from error
