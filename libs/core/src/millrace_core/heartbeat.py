"""The heartbeat that every agent writes to `agent.{agent_id}`: its state, its units and their errors."""

from typing import Literal

import msgspec

HEARTBEAT_TTL_S = 15
HEARTBEAT_INTERVAL_S = 5

AgentState = Literal["starting", "running", "stopped", "waiting"]
"""`waiting`: no configuration yet. `stopped`: the configuration says so."""
UnitState = Literal["starting", "live", "stale", "standby", "failed", "stopped"]
"""`standby`: a newer writer took over. `failed`: an error ended it, and it will be started again."""


class ProblemReport(msgspec.Struct, frozen=True):
    """One mistake in a configuration."""

    path: str
    message: str


class ErrorReport(msgspec.Struct, frozen=True):
    """One recent error of an agent."""

    at: int
    """ms"""
    where: str
    message: str


class UnitHealth(msgspec.Struct, frozen=True, rename="camel"):
    """The health of one unit of an agent's work: a stream, a strategy, an account."""

    name: str
    """The name of a tenant's unit begins with `{tenant}.`: only that tenant's users see it."""
    state: UnitState
    since: int
    """ms"""
    detail: str | None = None
    counters: dict[str, int | float] = {}
    """Running totals, such as messages, gaps, recoveries."""
    latencies: dict[str, dict[str, float]] = {}
    """By hop, as in `Heartbeat.latencies`."""


class Heartbeat(msgspec.Struct, frozen=True, rename="camel"):
    """The state of an agent, written every 5 s."""

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
    """The mistakes in the newest configuration; while there are any, the previous one stays in force."""
    warnings: list[str] = []
    units: list[UnitHealth] = []
    last_errors: list[ErrorReport] = []
    latencies: dict[str, dict[str, float]] = {}
    """By hop: `count`, and `p50` and `p99` in ms."""
