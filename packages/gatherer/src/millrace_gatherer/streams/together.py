"""Several coroutines that live and die together."""

import asyncio
from collections.abc import Coroutine
from typing import Any, NoReturn


async def together(*coroutines: Coroutine[Any, Any, Any]) -> NoReturn:
    """Run coroutines until one fails, end the others, and raise what it raised, as it is.

    A `TaskGroup` would wrap it, and whoever deals with an exchange's error wants the error.
    """
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in done:
        task.result()
    raise AssertionError("one of them should have failed")
