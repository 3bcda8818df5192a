"""Coroutines that run as one: a failure of one ends all of them, and with `first_of` every end does.

`asyncio.TaskGroup` does the work, except for two things: it takes a task that was cancelled from inside for an ordinary
end, so that a stream could die unnoticed, and it wraps errors, where callers want the error itself.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from millrace_bus.tasks import CancelledInside, failure_of, was_cancelled


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


async def first_of(*coroutines: Coroutine[Any, Any, Any]) -> None:
    """Run coroutines until the first of them ends; then cancel the others, wait for them, and raise what went wrong.

    Raises:
        CancelledInside: a coroutine was cancelled from inside.
    """
    tasks = [asyncio.create_task(coroutine, name=_name(coroutine)) for coroutine in coroutines]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for failure in filter(None, map(failure_of, tasks)):
        raise failure


async def _guarded(coroutine: Coroutine[Any, Any, Any]) -> None:
    try:
        await coroutine
    except asyncio.CancelledError as error:
        if was_cancelled():
            raise
        raise CancelledInside(_name(coroutine)) from error


def _name(coroutine: Coroutine[Any, Any, Any]) -> str:
    return getattr(coroutine, "__qualname__", repr(coroutine))
