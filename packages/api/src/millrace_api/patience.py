"""Waiting for an answer only so long, whatever becomes of the question."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_left: set["asyncio.Task[Any]"] = set()
"""Questions that nobody waits for any more, until they have ended."""


async def answer_within(timeout_s: float, question: Coroutine[Any, Any, T], *, goes_on: bool = False) -> T:
    """Return the answer to a question.

    A question that takes longer is cancelled unless it `goes_on`. Nobody waits for that: a database that hangs also
    hangs in its clean-up.

    Raises:
        TimeoutError: it took longer.
    """
    task = asyncio.create_task(question)
    _left.add(task)
    task.add_done_callback(_forget)
    try:
        done, _ = await asyncio.wait({task}, timeout=timeout_s)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if not done:
        if not goes_on:
            task.cancel()
        raise TimeoutError
    return task.result()


def _forget(task: "asyncio.Task[Any]") -> None:
    _left.discard(task)
    if not task.cancelled():
        task.exception()
