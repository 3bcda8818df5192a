"""Single commands that wait out any outage, over the connection that writes."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from millrace_bus.connection.connection import Part, into, pack
from millrace_bus.connection.outbox import Outbox
from millrace_bus.connection.reconnecting import ReconnectingConnection
from millrace_bus.errors import CommandRefused, Disconnected
from millrace_core.backoff import Backoff, BackoffPolicy

Call = Callable[..., Awaitable[Any]]
"""Sends a command, given part by part, and returns its reply, however long Redis is away."""

_PASSING: Final = ("LOADING", "MASTERDOWN", "TRYAGAIN", "CLUSTERDOWN")
"""Errors of a server that will answer soon."""
_RETRIES: Final = BackoffPolicy(first_s=0.1, limit_s=0.5)

T = TypeVar("T")
_log = logging.getLogger("millrace.bus")


class Calls:
    """Sends commands together with all else that one turn of the event loop writes, and returns their replies."""

    def __init__(self, reconnecting: ReconnectingConnection, outbox: Outbox) -> None:
        self._reconnecting, self._outbox = reconnecting, outbox

    async def call(self, *parts: Part) -> Any:
        """Return a command's reply, however long Redis is away.

        A command whose reply was lost is sent again: use it only for commands that may run twice.

        Raises:
            CommandRefused: Redis answered with an error.
        """
        command = pack(*parts)
        return await until_answered(lambda: self._send(command))

    async def _send(self, command: bytes) -> Any:
        await self._reconnecting.up()
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._outbox.put(command, (into(answer),))
        return await answer


async def until_answered(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask Redis again and again until it answers; return what it said.

    Raises:
        CommandRefused: it said something that asking again would not change.
    """
    backoff = Backoff(_RETRIES)
    while True:
        try:
            return await ask()
        except Disconnected:
            continue
        except CommandRefused as refused:
            if refused.code not in _PASSING:
                raise
            _log.debug("Redis answers later: %s", refused)
            await asyncio.sleep(backoff.failed())
