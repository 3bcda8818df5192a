"""Telling our callers' cancellations from ccxt's, which cancels futures of its own that others await."""

import asyncio


def was_cancelled() -> bool:
    """Tell whether somebody wants the running task to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
