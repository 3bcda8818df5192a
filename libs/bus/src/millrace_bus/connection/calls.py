"""Single commands that wait out any outage, over the connection that writes."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, TypeVar

from millrace_bus.connection.connection import CommandPart, into, pack
from millrace_bus.connection.outbox import Outbox
from millrace_bus.connection.reconnecting import ReconnectingConnection
from millrace_bus.connection.script import MISSING, Script
from millrace_bus.errors import CommandRefused, Disconnected
from millrace_core.backoff import Backoff, BackoffPolicy

Call = Callable[..., Awaitable[Any]]
"""Sends a command, given part by part, and returns its reply; waits out an outage of Redis."""

_RETRIES: Final = BackoffPolicy(first_s=0.1, limit_s=0.5)

T = TypeVar("T")
_log = logging.getLogger("millrace.bus")


class Calls:
    """Sends commands in one pipeline with all others of the same turn of the event loop; returns their replies."""

    def __init__(self, reconnecting: ReconnectingConnection, outbox: Outbox) -> None:
        self._reconnecting, self._outbox = reconnecting, outbox

    async def call(self, *parts: CommandPart) -> Any:
        """Return a command's reply; wait out an outage of Redis.

        A command may run twice, because it is sent again if its reply was lost. Use it only for commands that
        tolerate this.

        Raises:
            CommandRefused: Redis answered with an error.
        """
        command = pack(*parts)
        return await until_answered(lambda: self._send(command))

    async def run(self, script: Script, keys: Iterable[str], *arguments: CommandPart) -> Any:
        """Return a script's reply; as `call` does."""
        command = pack(*script.command(keys, *arguments))
        return await until_answered(lambda: self._run(script, command))

    async def _send(self, command: bytes) -> Any:
        await self._reconnecting.up()
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._outbox.put(command, (into(answer),))
        return await answer

    async def _run(self, script: Script, command: bytes) -> Any:
        await self._reconnecting.up()
        self._outbox.load(script)
        try:
            return await self._send(command)
        except CommandRefused as refused:
            if refused.code != MISSING:
                raise
            self._outbox.reconnect()
            raise Disconnected("the next connection loads the script that Redis lacks") from refused


async def until_answered(ask: Callable[[], Awaitable[T]]) -> T:
    """Repeat a command until Redis answers; return the reply.

    Raises:
        CommandRefused: it answered with an error that repeating would not change.
    """
    backoff = Backoff(_RETRIES)
    while True:
        try:
            return await ask()
        except Disconnected:
            continue
        except CommandRefused as refused:
            if not refused.is_passing:
                raise
            _log.debug("late reply from Redis: %s", refused)
            await asyncio.sleep(backoff.failed())
