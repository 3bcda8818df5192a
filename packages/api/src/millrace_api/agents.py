"""Agents' heartbeats: what a tenant may see of them, and server-sent events for any number of clients."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field

import msgspec

from millrace_api.access.principal import Principal
from millrace_api.access.sharing import may_see_unit
from millrace_api.configs.ownership import may_know_of, may_see_of, named_in
from millrace_bus import Bus
from millrace_core.heartbeat import ErrorReport, Heartbeat, ProblemReport, UnitHealth, WorkerHealth
from millrace_core.names import AgentId
from millrace_store.queries.records import AgentRecord

POLL_S = 1.0
QUIET_S = 15.0
"""An idle event stream sends a comment this often, so that proxies and clients can tell it from a dead one."""
MAX_CLIENTS = 500


class AgentView(msgspec.Struct, frozen=True, rename="camel"):
    """An agent as one tenant sees it."""

    id: str
    kind: str
    state: str
    started_at: int
    sent_at: int
    """ms"""
    version: str
    config_revision: str | None
    units: list[UnitHealth]
    workers: list[WorkerHealth]
    """The worker processes that run none but visible units."""
    config_errors: list[ProblemReport]
    """The mistakes in the newest configuration; empty for callers that may not see it."""
    warnings: list[str]
    last_errors: list[ErrorReport]
    latencies: dict[str, dict[str, float]]


@dataclass(frozen=True)
class RunningAgent:
    """An agent that has a heartbeat."""

    heartbeat: Heartbeat
    named: frozenset[str]
    """The tenants that its configuration names."""
    _events: dict[tuple[str, bool], bytes] = field(default_factory=dict)
    """By whom they are for: all event streams of a tenant share one."""

    def is_known_to(self, principal: Principal) -> bool:
        """Tell whether a principal may know of it."""
        return may_know_of(principal, self.named)

    def event(self, principal: Principal) -> bytes:
        """Return the part that a principal may see as a server-sent event."""
        of = (principal.tenant, principal.is_operator)
        if of not in self._events:
            self._events[of] = b"event: agent\ndata: %b\n\n" % msgspec.json.encode(self.view(principal))
        return self._events[of]

    def view(self, principal: Principal) -> AgentView:
        """Return the part that a principal may see."""
        return view_for(principal, self.heartbeat, sees_config=may_see_of(principal, self.named))


def view_for(principal: Principal, heartbeat: Heartbeat, *, sees_config: bool = False) -> AgentView:
    """Return the part of an agent that a principal may see: other tenants' work is hidden entirely.

    Mistakes and warnings name whom they are about in their paths. Who sees the whole configuration that the agent has
    now sees all of them.
    """
    units = [unit for unit in heartbeat.units if principal.is_operator or may_see_unit(principal, unit.name)]
    sees_all = principal.is_operator or (sees_config and len(units) == len(heartbeat.units))
    errors = [error for error in heartbeat.last_errors if sees_all or may_see_unit(principal, error.where)]
    return AgentView(
        id=heartbeat.id,
        kind=heartbeat.kind,
        state=heartbeat.state,
        started_at=heartbeat.started_at,
        sent_at=heartbeat.sent_at,
        version=heartbeat.version,
        config_revision=heartbeat.config_revision,
        units=units,
        workers=[worker for worker in heartbeat.workers if sees_all or may_see_unit(principal, worker.name)],
        config_errors=[each for each in heartbeat.config_errors if sees_all or _is_about(principal, each.path)],
        warnings=[each for each in heartbeat.warnings if sees_all or _is_about(principal, each)],
        last_errors=errors,
        latencies=heartbeat.latencies,
    )


def _is_about(principal: Principal, path: str) -> bool:
    """Tell whether a JSON path lies in a section of the principal's tenant alone."""
    return path.startswith((f"$.exchanges.{principal.tenant}.", f"$.risk.{principal.tenant}."))


async def agents_now(bus: Bus) -> list[RunningAgent]:
    """Return every running agent with the tenants that its configuration names."""
    configs = await bus.all_configs()
    return [
        RunningAgent(heartbeat, named_in(configs.get(AgentId(heartbeat.id)))) for heartbeat in await bus.heartbeats()
    ]


def may_restart(principal: Principal, unit: str) -> bool:
    """Tell whether a principal may have a unit run afresh: an admin of its tenant, or the operator."""
    return principal.is_operator or (principal.may("admin") and _tenant(unit) == principal.tenant)


def _tenant(unit: str) -> str | None:
    """Return the tenant of a unit named `{tenant}.…`; None for units without one, such as `maintenance`."""
    tenant, dot, _ = unit.partition(".")
    return tenant if dot else None


class AgentEvents:
    """Server-sent events about agents: heartbeats are read once a second for all clients together."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._alive: dict[str, RunningAgent] = {}
        self._changed = asyncio.Condition()
        self._clients = 0
        self._polling: asyncio.Task[None] | None = None

    @property
    def has_room(self) -> bool:
        """Tell whether one more client may follow."""
        return self._clients < MAX_CLIENTS

    async def events(self, principal: Principal, seconds: float) -> AsyncIterator[bytes]:
        """Return events for `seconds`: first every agent, then each that has changed or is gone.

        Raises:
            Exception: the error that ended reading the heartbeats.
        """
        self._clients += 1
        known: dict[str, int] = {}
        try:
            yield b"retry: 2000\n\n"
            ends_s = time.monotonic() + seconds
            while (left_s := ends_s - time.monotonic()) > 0:
                if news := b"".join(_news(principal, self._alive, known)):
                    yield news
                elif not await self._next(min(left_s, QUIET_S)):
                    yield b": still here\n\n"
        finally:
            self._clients -= 1
            if self._clients == 0:
                await self.close()

    async def close(self) -> None:
        """Stop reading heartbeats."""
        # Taken at once: who comes while it ends starts another.
        polling, self._polling = self._polling, None
        if polling is not None:
            polling.cancel()
            await asyncio.wait({polling})

    async def _poll(self) -> None:
        try:
            while True:
                self._alive = {agent.heartbeat.id: agent for agent in await agents_now(self._bus)}
                await self._notify()
                await asyncio.sleep(POLL_S)
        finally:
            await self._notify()

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _next(self, timeout_s: float) -> bool:
        """Wait until heartbeats were read again; return False if it takes too long."""
        if self._polling is None:
            self._polling = asyncio.get_running_loop().create_task(self._poll())
        polling = self._polling
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                if not polling.done():
                    await self._changed.wait()
        except TimeoutError:
            return False
        if polling.done():
            # The next client starts another.
            self._polling = None if self._polling is polling else self._polling
            polling.result()
        return True


def read_heartbeats(records: Iterable[AgentRecord]) -> list[Heartbeat]:
    """Return stored heartbeats; those of an older, unreadable form are left out."""
    found = []
    for record in records:
        with contextlib.suppress(msgspec.ValidationError):
            found.append(msgspec.convert(record.heartbeat, Heartbeat))
    return found


def _news(principal: Principal, alive: dict[str, RunningAgent], known: dict[str, int]) -> list[bytes]:
    """Return the events that bring a client up to date, and record them in `known`."""
    news = []
    alive = {agent: running for agent, running in alive.items() if running.is_known_to(principal)}
    for agent in sorted(known.keys() - alive.keys()):
        del known[agent]
        news.append(b"event: gone\ndata: %b\n\n" % msgspec.json.encode({"id": agent}))
    for agent, running in alive.items():
        if known.get(agent) != running.heartbeat.sent_at:
            known[agent] = running.heartbeat.sent_at
            news.append(running.event(principal))
    return news
