"""The heartbeat that every agent leaves in `agent.{agent_id}`: what it does, and what is wrong with it."""

from typing import Literal

import msgspec

HEARTBEAT_TTL_S = 15
HEARTBEAT_INTERVAL_S = 5

AgentState = Literal["starting", "running", "stopped", "waiting"]
"""`waiting`: no configuration yet. `stopped`: the configuration says so."""
UnitState = Literal["starting", "live", "stale", "standby", "failed", "stopped"]
"""`standby`: a newer writer took over. `failed`: it ended by an error and will be tried again."""


class ProblemReport(msgspec.Struct, frozen=True):
    """One mistake in a configuration."""

    path: str
    message: str


class ErrorReport(msgspec.Struct, frozen=True):
    """One error that an agent met lately."""

    at: int
    """ms"""
    where: str
    message: str


class UnitHealth(msgspec.Struct, frozen=True, rename="camel"):
    """How one unit of an agent's work does: a stream, a plugin, an account."""

    name: str
    """A tenant's own begins with `{tenant}.`: that tenant's people see it, and nobody else's."""
    state: UnitState
    since: int
    """ms"""
    detail: str | None = None
    counters: dict[str, int | float] = {}
    """Running totals, such as messages, gaps, recoveries."""
    latencies: dict[str, dict[str, float]] = {}
    """By hop, as in the heartbeat as a whole."""


class Heartbeat(msgspec.Struct, frozen=True, rename="camel"):
    """What an agent says of itself every 5 s."""

    id: str
    kind: str
    """gatherer, magicbox, executor, …"""
    state: AgentState
    pid: int
    started_at: int
    """ms"""
    sent_at: int
    """ms"""
    version: str
    config_revision: str | None = None
    """Short digest of the configuration in force."""
    config_errors: list[ProblemReport] = []
    """What is wrong with the newest configuration; then the one before it stays in force."""
    warnings: list[str] = []
    units: list[UnitHealth] = []
    last_errors: list[ErrorReport] = []
    latencies: dict[str, dict[str, float]] = {}
    """By hop: `count`, and `p50` and `p99` in ms."""
