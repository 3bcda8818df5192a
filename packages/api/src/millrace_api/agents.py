"""What agents say of themselves, as a tenant may see it, and followed live by any number of clients."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterable

import msgspec

from millrace_api.access.principal import Principal
from millrace_bus import Bus
from millrace_core.heartbeat import ErrorReport, Heartbeat, ProblemReport, UnitHealth
from millrace_core.names import PUBLIC
from millrace_store.queries.records import AgentRecord

LOOK_S = 1.0
QUIET_S = 15.0
"""An event stream says something this often, so that proxies and clients know it from a dead one."""
MOST_CLIENTS = 500


class AgentView(msgspec.Struct, frozen=True, rename="camel"):
    """An agent, with what concerns the tenant of its work."""

    id: str
    kind: str
    state: str
    started_at: int
    sent_at: int
    """ms"""
    version: str
    config_revision: str | None
    units: list[UnitHealth]
    config_errors: list[ProblemReport]
    """What is wrong with the newest configuration; empty for those who may not see that configuration."""
    warnings: list[str]
    last_errors: list[ErrorReport]
    latencies: dict[str, dict[str, float]]


def seen_by(principal: Principal, heartbeat: Heartbeat) -> AgentView:
    """Return an agent as somebody may see it: of other tenants' work nothing, not even that it is there."""
    own = (principal.tenant, PUBLIC)
    units = [unit for unit in heartbeat.units if principal.is_operator or _tenant(unit.name) in own]
    # An agent without units may have the configuration of anybody.
    sees_all = principal.is_operator or (bool(units) and len(units) == len(heartbeat.units))
    errors = [error for error in heartbeat.last_errors if sees_all or _tenant(error.where) in own]
    return AgentView(
        id=heartbeat.id,
        kind=heartbeat.kind,
        state=heartbeat.state,
        started_at=heartbeat.started_at,
        sent_at=heartbeat.sent_at,
        version=heartbeat.version,
        config_revision=heartbeat.config_revision,
        units=units,
        config_errors=heartbeat.config_errors if sees_all else [],
        warnings=heartbeat.warnings if sees_all else [],
        last_errors=errors,
        latencies=heartbeat.latencies,
    )


def _tenant(unit: str) -> str | None:
    """Return whose a unit is: `{tenant}.…`; None for those that are nobody's, such as `maintenance`."""
    tenant, dot, _ = unit.partition(".")
    return tenant if dot else None


class AgentsFeed:
    """Looks for heartbeats once a second while anybody follows; each client gets what changed since its last look."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._alive: dict[str, Heartbeat] = {}
        self._looked = asyncio.Condition()
        self._clients = 0
        self._looking: asyncio.Task[None] | None = None

    @property
    def has_room(self) -> bool:
        """Tell whether one more may follow."""
        return self._clients < MOST_CLIENTS

    async def events(self, principal: Principal, seconds: float) -> AsyncIterator[bytes]:
        """Return server-sent events for so long: every agent at first, then each that changed or is gone."""
        self._clients += 1
        if self._looking is None:
            self._looking = asyncio.get_running_loop().create_task(self._look())
        known: dict[str, int] = {}
        try:
            yield b"retry: 2000\n\n"
            ends_s = time.monotonic() + seconds
            while (left_s := ends_s - time.monotonic()) > 0:
                said = b"".join(_news(principal, self._alive, known))
                if said:
                    yield said
                elif not await self._next(min(left_s, QUIET_S)):
                    yield b": still here\n\n"
        finally:
            self._clients -= 1
            if self._clients == 0:
                await self.close()

    def read(self, records: Iterable[AgentRecord]) -> list[Heartbeat]:
        """Read stored heartbeats; what is none any more is passed over."""
        found = []
        for record in records:
            with contextlib.suppress(msgspec.ValidationError):
                found.append(msgspec.convert(record.heartbeat, Heartbeat))
        return found

    async def close(self) -> None:
        """Look no longer."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})
            self._looking = None

    async def _look(self) -> None:
        while True:
            self._alive = {heartbeat.id: heartbeat for heartbeat in await self._bus.heartbeats()}
            async with self._looked:
                self._looked.notify_all()
            await asyncio.sleep(LOOK_S)

    async def _next(self, patience_s: float) -> bool:
        """Wait for the next look; tell whether there was one."""
        try:
            async with asyncio.timeout(patience_s), self._looked:
                await self._looked.wait()
        except TimeoutError:
            return False
        return True


def _news(principal: Principal, alive: dict[str, Heartbeat], known: dict[str, int]) -> list[bytes]:
    """Return the events that bring somebody who knows `known` up to date."""
    news = []
    for agent in sorted(known.keys() - alive.keys()):
        del known[agent]
        news.append(b"event: gone\ndata: %b\n\n" % msgspec.json.encode({"id": agent}))
    for agent, heartbeat in alive.items():
        if known.get(agent) != heartbeat.sent_at:
            known[agent] = heartbeat.sent_at
            news.append(b"event: agent\ndata: %b\n\n" % msgspec.json.encode(seen_by(principal, heartbeat)))
    return news
