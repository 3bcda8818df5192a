"""Several works as one."""

import asyncio
from collections.abc import Coroutine
from typing import Any


async def first_failure(*works: Coroutine[Any, Any, None]) -> None:
    """Do all at the same time; when one fails, end the others and raise its error as if it had been alone."""
    try:
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(work)
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
