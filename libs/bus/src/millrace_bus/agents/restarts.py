"""Requests to run one unit of an agent afresh. See docs/protocol.md, "Restarts"."""

import asyncio
from collections.abc import AsyncGenerator

from millrace_bus.connection.command_pool import CommandPool
from millrace_bus.connection.subscriptions import Subscriptions
from millrace_bus.errors import BusError
from millrace_core.names import AgentId, restart_channel


class Restarts:
    """Sends and receives the names of units to run afresh."""

    def __init__(self, redis: CommandPool, subscriptions: Subscriptions) -> None:
        self._redis, self._subscriptions = redis, subscriptions

    async def request(self, agent: AgentId, unit: str) -> bool:
        """Ask an agent to run a unit afresh; tell whether it heard that.

        Raises:
            CommandRefused: Redis answered with an error.
        """
        return bool(await self._redis.call("PUBLISH", restart_channel(agent), unit))

    async def requests(self, agent: AgentId) -> AsyncGenerator[str, None]:
        """Return the units that an agent is asked to run afresh, as the requests come.

        Raises:
            BusError: Redis refuses the channel, or an unforeseen error ended the connection.
        """
        waiting = _Waiting()
        subscription = self._subscriptions.add(restart_channel(agent), waiting)
        try:
            while True:
                yield await waiting.next()
        finally:
            self._subscriptions.remove(subscription)


class _Waiting:
    """Units that wait to be run afresh, each once however often it was asked for, oldest first."""

    def __init__(self) -> None:
        self._units: dict[str, None] = {}
        self._failure: BusError | None = None
        self._changed = asyncio.Event()

    async def next(self) -> str:
        while not self._units:
            if self._failure is not None:
                raise self._failure
            self._changed.clear()
            await self._changed.wait()
        unit = next(iter(self._units))
        del self._units[unit]
        return unit

    def subscribed(self) -> None:
        pass

    def on_message(self, data: bytes) -> None:
        self._units[data.decode(errors="replace")] = None
        self._changed.set()

    def disconnected(self) -> None:
        pass

    def failed(self, error: BusError) -> None:
        self._failure = error
        self._changed.set()
