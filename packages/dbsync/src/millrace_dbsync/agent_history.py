"""The unit that stores the states and configurations of all agents."""

import asyncio
from collections.abc import Iterable
from typing import Final, NoReturn

from millrace_bus import Bus
from millrace_core.clock import now_ms
from millrace_core.config import revision
from millrace_core.heartbeat import Heartbeat
from millrace_core.names import AgentId
from millrace_dbsync.committing.shared_database import SharedDatabase
from millrace_service import UnitHealthReporter
from millrace_service.sealing import for_history
from millrace_service.tasks import run_all
from millrace_store import Batch, Store

EVERY_S: Final = 2.0
"""Agents send a heartbeat every 5 s, and at once when something changes."""


class AgentHistory:
    """Stores heartbeats and configurations of all agents until cancelled."""

    def __init__(self, bus: Bus, database: SharedDatabase, health: UnitHealthReporter, keys: bytes | None) -> None:
        self._bus, self._database, self._health = bus, database, health
        self._keys = keys
        """Encrypt the plain secrets of configurations before they are stored."""

    async def run(self) -> None:
        """Watch heartbeats and configurations.

        Raises:
            StoreError: the database refuses.
        """
        await self._database.ask(Store.ping, self._health)
        self._health.state("live")
        await run_all(self._watch_heartbeats(), self._watch_configs())

    async def _watch_heartbeats(self) -> NoReturn:
        sieve = HeartbeatSieve()
        while True:
            if chosen := sieve.worth_keeping(await self._bus.heartbeats()):
                await self._store(_batch_of(chosen))
                self._health.count("heartbeats", len(chosen))
            await asyncio.sleep(EVERY_S)

    async def _watch_configs(self) -> None:
        async for agent, text in self._bus.config_changes():
            if text is not None:
                await self._store_config(agent, text)

    async def _store_config(self, agent: AgentId, raw: bytes) -> None:
        batch = Batch()
        batch.config(agent, revision(raw), now_ms(), for_history(raw, self._keys))
        await self._store(batch)
        self._health.count("configurations")

    async def _store(self, batch: Batch) -> None:
        await self._database.ask(lambda store: store.commit(batch), self._health)


def _batch_of(heartbeats: list[Heartbeat]) -> Batch:
    batch = Batch()
    for heartbeat in heartbeats:
        batch.agent(heartbeat)
    return batch


KEPT_EVERY_MS = 60_000


class HeartbeatSieve:
    """Chooses the heartbeats to store: each change of an agent's state, and one a minute. Pure."""

    def __init__(self) -> None:
        self._kept: dict[AgentId, Heartbeat] = {}

    def worth_keeping(self, heartbeats: Iterable[Heartbeat]) -> list[Heartbeat]:
        """Return the heartbeats to store, and count them as stored. `heartbeats` holds all agents that there are."""
        present = {AgentId(heartbeat.id): heartbeat for heartbeat in heartbeats}
        chosen = {agent: heartbeat for agent, heartbeat in present.items() if self._is_due(heartbeat)}
        # Agents come and go under names of their own choice; those that are gone are forgotten.
        self._kept = {agent: self._kept[agent] for agent in present.keys() - chosen.keys()} | chosen
        return list(chosen.values())

    def _is_due(self, heartbeat: Heartbeat) -> bool:
        last = self._kept.get(AgentId(heartbeat.id))
        if last is None:
            return True
        # Either way: an agent's clock may be set back.
        return _state_of(last) != _state_of(heartbeat) or abs(heartbeat.sent_at - last.sent_at) >= KEPT_EVERY_MS


def _state_of(heartbeat: Heartbeat) -> tuple[object, ...]:
    """Return the fields of a heartbeat that stay the same while nothing happens."""
    return (
        heartbeat.state,
        heartbeat.started_at,
        heartbeat.config_revision,
        heartbeat.config_errors,
        [(unit.name, unit.state) for unit in heartbeat.units],
        heartbeat.last_errors,
    )
