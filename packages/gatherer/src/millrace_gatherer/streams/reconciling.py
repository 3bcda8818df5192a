"""Asking on a timer, so that nothing a stream did not tell stays wrong."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final, NoReturn

from millrace_exchange import ExchangeError, Fatal
from millrace_service import UnitHealthReporter

RECONCILE_S: Final = 30.0
"""How often what the exchange says when asked is compared with what it told by itself."""
RETRY_S: Final = 2.0
"""How soon to ask again after asking failed."""


async def reconcile(
    ask: Callable[[], Awaitable[None]], health: UnitHealthReporter, every_s: float, wake: asyncio.Event
) -> NoReturn:
    """Ask now, every `every_s`, and when woken; a failure that may pass is counted, and asked again sooner.

    Raises:
        Fatal: the account cannot be asked any more.
    """
    while True:
        wake.clear()
        try:
            await ask()
            pause_s = every_s
        except Fatal:
            raise
        except ExchangeError as error:
            health.error(error)
            pause_s = max(RETRY_S, getattr(error, "retry_after_ms", 0) / 1000)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await wake.wait()
