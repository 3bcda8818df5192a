"""The heartbeat that every agent writes to `agent.{agent_id}`: its state, its units and their errors."""

from typing import Annotated, Literal

import msgspec

from millrace_core.clock import LATEST_MS

HEARTBEAT_TTL_S = 15
HEARTBEAT_INTERVAL_S = 5

Ms = Annotated[int, msgspec.Meta(ge=0, le=LATEST_MS)]
"""A time as databases and calendars can hold it: a heartbeat with another cannot be read."""
AgentState = Literal["starting", "running", "stopped", "waiting"]
"""`waiting`: no configuration yet. `stopped`: the configuration says so."""
UnitState = Literal["starting", "live", "unverified", "stale", "standby", "failed", "stopped"]
"""`standby`: a newer writer took over. `failed`: an error ended it, and it will be started again. `stopped`: it ended
on purpose, or exceeded a limit, which `detail` names; then it stays ended until started by hand or configured anew.
"""


class ProblemReport(msgspec.Struct, frozen=True):
    """One mistake in a configuration."""

    path: str
    message: str


class ErrorReport(msgspec.Struct, frozen=True):
    """One recent error of an agent."""

    at: Ms
    where: str
    message: str
    traceback: str | None = None
    """Where it was raised, the newest call last; None for errors whose message says everything."""


class UnitHealth(msgspec.Struct, frozen=True, rename="camel"):
    """The health of one unit of an agent's work: a stream, a strategy, an account."""

    name: str
    """The name of a tenant's unit begins with `{tenant}.`: only that tenant's users see it."""
    state: UnitState
    since: Ms
    detail: str | None = None
    counters: dict[str, int | float] = {}
    """Running totals, such as messages, gaps, recoveries."""
    latencies: dict[str, dict[str, float]] = {}
    """By hop, as in `Heartbeat.latencies`."""
    source: str | None = None
    """Of a stream, by what it comes: `native` (a feed of our own), `watch` (the exchange streams it, through ccxt) or
    `fetch` (the exchange is asked for it)."""
    worker: str | None = None
    """The worker process that runs it; None for the agent's own process."""


WorkerState = Literal["starting", "live", "failed", "stopped"]
"""`failed`: its process ended and is started again. `stopped`: its unit exceeded its limits and stays ended."""


class WorkerHealth(msgspec.Struct, frozen=True, rename="camel"):
    """One worker process of an agent."""

    name: str
    """A number; the name of its unit where each unit has a process of its own."""
    state: WorkerState
    units: int
    """How many units it runs."""
    pid: int | None = None
    memory_mb: float = 0.0
    """Resident memory."""
    cpu_percent: float = 0.0
    """Of one core, over the last seconds."""
    replaced: int = 0
    """How often its process was replaced."""
    detail: str | None = None
    """Why it is not live."""


class Heartbeat(msgspec.Struct, frozen=True, rename="camel"):
    """The state of an agent, written every 5 s."""

    id: str
    kind: str
    """gatherer, magicbox, executor, …"""
    state: AgentState
    pid: int
    started_at: Ms
    sent_at: Ms
    version: str
    config_revision: str | None = None
    """Short digest of the configuration in force."""
    config_errors: list[ProblemReport] = []
    """The mistakes in the newest configuration; while there are any, the previous one stays in force."""
    warnings: list[str] = []
    units: list[UnitHealth] = []
    workers: list[WorkerHealth] = []
    """Empty while all units run in the agent's own process."""
    last_errors: list[ErrorReport] = []
    latencies: dict[str, dict[str, float]] = {}
    """By hop: `count`, and `p50` and `p99` in ms."""
