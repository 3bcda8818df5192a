"""Names the subscribed streams that nobody feeds, with what exists that is near: they would be silent for ever.

A strategy is `live` while each of its streams is fed, and `stale` otherwise; the unit's detail says which is not.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

from millrace_bus import Bus, FollowerStatus
from millrace_core.heartbeat import Heartbeat
from millrace_core.names import PUBLIC, StreamName, Tenant
from millrace_core.near_names import near_streams, question
from millrace_magicbox.failures import Failures
from millrace_service import UnitHealthReporter

FIRST_LOOK_S = 5.0
"""How long a stream may take to begin."""
LOOK_AGAIN_S = 30.0
"""How often the reason is looked for again: what is near may begin later, as when all services start at once."""
_WORKING = ("starting", "live", "stale")


class SubscriptionWatch:
    """Keeps the state of one strategy's unit by its subscribed streams, from `begin` on.

    A unit whose strategy was stopped keeps the state that says so.
    """

    def __init__(
        self, bus: Bus, tenant: Tenant, streams: Iterable[StreamName], health: UnitHealthReporter, log: Any
    ) -> None:
        self._bus, self._tenant, self._health, self._log = bus, tenant, health, log
        self._unfed: dict[StreamName, str | None] = dict.fromkeys(streams)
        """The reasons, as far as they were looked for."""
        self._subscribed = frozenset(self._unfed)
        self._dead: set[StreamName] = set()
        self._reported: set[str] = set()
        self._looking: asyncio.Task[None] | None = None

    def begin(self, failures: Failures) -> None:
        """Keep the unit's state from now on."""
        self._looking = asyncio.create_task(self._look(), name="watch of subscriptions")
        failures.watch(self._looking)
        self.show()

    def status(self, name: StreamName, status: FollowerStatus) -> None:
        """Take a stream's status, the first one with its first state; those of other streams change nothing."""
        if name not in self._subscribed:
            return
        self._unfed.pop(name, None)
        if status == "dead":
            self._dead.add(name)
        else:
            self._dead.discard(name)
        self.show()

    async def close(self) -> None:
        """Stop looking."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])

    def show(self) -> None:
        """Show the state that its streams have."""
        if self._looking is None or self._health.current_state not in _WORKING:
            return
        reasons = [reason for reason in self._unfed.values() if reason is not None]
        reasons += [f"{name} has lost its writer: no message for 10 s" for name in sorted(self._dead)]
        if reasons:
            self._health.state("stale", "; ".join(reasons))
        elif self._unfed:
            self._health.state("starting", f"waits for {', '.join(map(str, self._unfed))}")
        else:
            self._health.state("live")

    async def _look(self) -> None:
        await asyncio.sleep(FIRST_LOOK_S)
        is_first = True
        while self._unfed:
            existing = await self._bus.stream_names([self._tenant, PUBLIC])
            agents = await self._bus.heartbeats()
            # When all services start at once, no stream exists before the gatherer runs, and nothing is wrong yet.
            is_wrong = not is_first or any(each.kind == "gatherer" and each.state == "running" for each in agents)
            for name in self._unfed:
                writer = _future_writer(name, agents)
                self._unfed[name] = reason = writer or _no_writer(name, existing)
                if is_wrong and writer is None:
                    self._report(reason)
            self.show()
            is_first = False
            await asyncio.sleep(LOOK_AGAIN_S)

    def _report(self, reason: str) -> None:
        if reason not in self._reported:
            self._reported.add(reason)
            self._health.error(reason)
            self._log.error("nobody feeds a subscription", reason=reason)


def _future_writer(name: StreamName, agents: Iterable[Heartbeat]) -> str | None:
    """Return what an agent says of a stream that it is to write; None if no agent is to."""
    unit_name = str(name).partition(".")[2]
    for agent in agents:
        for unit in agent.units:
            if unit.name == unit_name:
                return f"{name} has not begun: {agent.id} has it {unit.state}" + (
                    f", {unit.detail}" if unit.detail else ""
                )
    return None


def _no_writer(name: StreamName, existing: Iterable[StreamName]) -> str:
    near = [f"{each}{_hint(name, each)}" for each in near_streams(name, existing)]
    return f"{name} has no writer{question(near)}"


def _hint(wanted: StreamName, other: StreamName) -> str:
    if wanted.tenant == other.tenant:
        return ""
    return f" (isPublic: {'true' if other.tenant == PUBLIC else 'false'})"
