"""A gatherer process behind a relay that can be cut, on each dialect of the simulated exchange."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from millrace_bus import Bus, Follower, Update
from millrace_core.names import Action, AgentId, ExchangeId, StreamName, Symbol, Tenant
from millrace_simulator.config import SimulatorConfig
from millrace_simulator.listings import SYMBOLS, DialectName
from millrace_simulator.server import Server, serve

AGENT = AgentId("GATHERER")
KEYS = {"apiKey": "demo-key", "secret": "demo-secret", "password": "demo-passphrase"}


@asynccontextmanager
async def venue(dialect: DialectName) -> AsyncIterator[Server]:
    """A busy exchange of a dialect, which keeps a record."""
    config = SimulatorConfig(
        dialect=dialect, symbols=SYMBOLS[dialect], events_per_second=300, depth_interval_ms=50, record=True
    )
    async with await serve(config) as server:
        yield server


class Watch:
    """Follows one stream: what its readers see of it."""

    def __init__(self, bus: Bus, exchange: str, action: str, symbol: str | None) -> None:
        name = StreamName(Tenant("T"), ExchangeId(exchange), Action(action), symbol and Symbol(symbol))
        self.breaks = 0
        """How often it stopped being live."""
        self.was_live = False
        self.deltas = 0
        self._changed = asyncio.Event()
        self.follower: Follower = bus.follow(name, self._take)

    @property
    def is_live(self) -> bool:
        """Whether both its writer and its reader say that its state is right."""
        return self.follower.trusted and self.follower.status == "live"

    async def until(self, holds: Callable[["Watch"], Any], limit_s: float = 20) -> None:
        """Wait until something that was read makes it true."""
        async with asyncio.timeout(limit_s):
            while not holds(self):
                self._changed.clear()
                await self._changed.wait()

    def _take(self, update: Update) -> None:
        self.deltas += update.kind == "delta"
        if self.was_live != self.is_live:
            self.breaks += self.was_live
            self.was_live = self.is_live
        self._changed.set()


@pytest.fixture
async def watch(bus: Bus) -> AsyncIterator[Callable[..., Watch]]:
    """A function that opens a watch on a stream."""
    watches: list[Watch] = []

    def watch(exchange: str, action: str, symbol: str | None = None) -> Watch:
        watches.append(Watch(bus, exchange, action, symbol))
        return watches[-1]

    yield watch
    for each in watches:
        await each.follower.close()


def account(base: str, **settings: Any) -> dict[str, Any]:
    """The account of the simulated exchange."""
    return {**KEYS, "urls": {"base": base}, **settings}


async def configure(bus: Bus, exchange: str, keys: dict[str, Any], *plans: dict[str, Any], **fields: Any) -> None:
    """Write the gatherer's configuration: plans of one tenant on one exchange."""
    workplans = [{"tenant": "T", "exchangeId": exchange, **plan} for plan in plans]
    exchanges = {"T": {exchange: keys}}
    config = {"agent": {"id": AGENT}, "exchanges": exchanges, "workplans": workplans, **fields}
    await bus.put_config(AGENT, json.dumps(config))
