"""The executor processes of a campaign, and which of them acts."""

import asyncio
import signal
from asyncio.subprocess import Process
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import redis.asyncio
from tests.support.services import start_service

from millrace_bus import Bus
from millrace_core.heartbeat import UnitHealth
from millrace_core.names import AgentId, ExchangeId, Tenant, lease_key

TENANT = Tenant("StrankaXY")
_LOOK_S = 0.02


class Executor:
    """One process, and what its heartbeat says."""

    def __init__(self, agent: AgentId, process: Process, bus: Bus, exchange: ExchangeId) -> None:
        self.agent = agent
        self.process = process
        self._bus = bus
        self._exchange = exchange

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    async def unit(self, name: str) -> UnitHealth | None:
        """Return one of its units as it last said, or None."""
        for beat in await self._bus.heartbeats():
            if beat.id == self.agent and beat.pid == self.process.pid:
                return next((unit for unit in beat.units if unit.name == f"{TENANT}.{name}"), None)
        return None

    async def is_in(self, state: str) -> bool:
        """Tell whether its account is in a state."""
        unit = await self.unit(self._exchange)
        return unit is not None and unit.state == state


class Executors:
    """Starts executors, each with an agent id of its own, and keeps those that run."""

    def __init__(
        self,
        bus: Bus,
        client: "redis.asyncio.Redis[Any]",
        config: Callable[[AgentId], dict[str, object]],
        database: str,
        folder: Path,
        exchange: ExchangeId,
    ) -> None:
        self._bus = bus
        self._client = client
        self._config = config
        self._database = database
        self._folder = folder
        self._exchange = exchange
        self._count = 0
        self.running: list[Executor] = []

    async def start(self) -> Executor:
        """Start another one."""
        self._count += 1
        agent = AgentId(f"EXECUTOR-{self._count}")
        await self._bus.put_config(agent, msgspec.json.encode(self._config(agent)))
        database, log = ("--database-url", self._database), self._folder / f"{agent}.log"
        process = await start_service("executor", agent, self._bus.url, log, *database)
        executor = Executor(agent, process, self._bus, self._exchange)
        self.running.append(executor)
        return executor

    async def acting(self) -> Executor:
        """Wait until one of them acts, and return it."""
        return await self._first("live", self.running)

    async def standby(self) -> Executor:
        """Wait until one of them stands by, and return it."""
        return await self._first("standby", self.running)

    async def token(self) -> bytes | None:
        """Return the token of the lease."""
        token: bytes | None = await self._client.hget(lease_key(TENANT), "token")
        return token

    async def taken_over(self, before: bytes | None) -> None:
        """Wait until the lease has another token."""
        while await self.token() == before:
            await asyncio.sleep(_LOOK_S / 4)

    async def gone(self, executor: Executor) -> None:
        """Wait until a process has ended, and forget it."""
        await executor.process.wait()
        self.running.remove(executor)

    async def close(self) -> None:
        """Kill all."""
        for executor in self.running:
            if executor.process.returncode is None:
                executor.process.kill()
        await asyncio.gather(*(executor.process.wait() for executor in self.running))

    async def _first(self, state: str, among: list[Executor]) -> Executor:
        async with asyncio.timeout(60):
            while True:
                for executor in among:
                    if await executor.is_in(state):
                        return executor
                # Nothing announces a heartbeat: its readers poll.
                await asyncio.sleep(_LOOK_S)
