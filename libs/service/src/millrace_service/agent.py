"""The interface of a micro-service: its kind, its configuration, its units of work."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Generic, TypeVar

import structlog

from millrace_bus import Bus
from millrace_core.config.common import BaseConfig
from millrace_core.names import AgentId
from millrace_service.health import UnitHealthReporter

ConfigT = TypeVar("ConfigT", bound=BaseConfig)
UnitConfigT = TypeVar("UnitConfigT")

STOPPED_LIMIT_S: Final = 1.0
"""How long an agent's `stopped` may take."""

UnitKey = str
"""Name of a unit in the heartbeat, such as `PUBLIC.binance.watchTrades.ETH/BTC`."""


log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class UnitLimits:
    """What a process may use that runs one unit."""

    memory_mb: float
    """Resident memory."""
    stall_s: float
    """How long its event loop may stand still."""
    stops: bool = False
    """Whether a unit that goes beyond is stopped until its configuration changes, instead of started again."""


class Agent(ABC, Generic[ConfigT, UnitConfigT]):
    """A micro-service. Derive from it, and pass the class to `millrace_service.main`.

    Calls come in this order, all in one event loop: `started`; `own_work`; for each configuration `learn`, `units`,
    `warnings`, `check` and `run_unit` for each unit; `stopped`.

    Where the configuration has `workers` (`WorkersConfig`), each worker process has a copy of the agent, as it was
    before `started`: so it must be picklable then. `started`, `run_unit` and `stopped` are called in the worker; all
    others, and `started` and `stopped` too, in the agent's own process.
    """

    kind: ClassVar[str]
    """One word for what it is, such as `gatherer`."""
    config_model: type[ConfigT]
    """The model that its configuration must meet."""
    needs_config: ClassVar[bool] = True
    """False: without a configuration in Redis the agent runs with its model's defaults."""

    async def learn(self, config: ConfigT) -> None:
        """Learn what `units` needs to know that no configuration says, such as an exchange's markets.

        It may be cancelled for a newer configuration. What cannot be learned soon is for `outdated` to tell later.
        """

    async def outdated(self) -> None:
        """Wait until `units` would return other units for the same configuration; then it is put in force again."""
        await asyncio.Event().wait()

    @abstractmethod
    def units(self, config: ConfigT) -> Mapping[UnitKey, UnitConfigT]:
        """Return the work that a configuration asks for.

        Pure but for what was learned. Secrets are decrypted. Units are compared by `==`: a unit keeps running if its
        `UnitConfig` is equal to before, so put everything into it that the unit depends on, and nothing else.

        Raises:
            ConfigInvalid: the configuration has mistakes that its model cannot find; nothing changes.
        """

    async def check(self, units: Mapping[UnitKey, UnitConfigT]) -> None:
        """Check the units that a new configuration starts or restarts, in ways that take time, while the others run.

        It is called again, after growing pauses, for as long as it refuses the newest configuration.

        It is not called for the first configuration after the agent's start: nothing runs yet that could be protected,
        so each unit that can run does, and one that cannot fails alone.

        Raises:
            ConfigInvalid: the configuration has mistakes; nothing changes.
        """

    async def own_work(self, bus: Bus, agent_id: AgentId) -> None:
        """Do what the agent does beside its units until cancelled. It is run again after a failure, as a unit is."""
        await asyncio.Event().wait()

    @abstractmethod
    async def run_unit(self, key: UnitKey, unit_config: UnitConfigT, health: UnitHealthReporter) -> None:
        """Do one unit's work until cancelled.

        Call `health.state("live")` when it works; until then the unit shows as `starting`. An error, a return,
        or a cancellation from inside is a failure: it is logged once and shown in the heartbeat, and the unit
        is run again after a growing pause. When cancelled, clean up and end within `unit.STOP_LIMIT_S`: the
        unit's next run waits for that.
        """

    async def replace_unit(self, key: UnitKey, unit_config: UnitConfigT) -> bool:
        """Have a running unit go on with another configuration, or afresh with the same; return False if it cannot.

        Then it is ended and run again. It may be cancelled for a newer configuration. An error is a failure of the
        unit's supervision, so report what goes wrong in the unit's health.
        """
        return False

    def warnings(self, config: ConfigT) -> Sequence[str]:
        """Return warnings about a valid configuration, such as settings without effect.

        Pure but for what was learned.
        """
        return ()

    def limits(self, unit_config: UnitConfigT) -> UnitLimits | None:
        """Return what a unit may use in a process of its own; None for the limits of all workers. Pure."""
        return None

    def together(self, key: UnitKey, unit_config: UnitConfigT) -> str:
        """Return a name that is the same for units that are to share a worker, as those of one account do. Pure."""
        return key

    def own_metrics(self) -> bytes:
        """Return metrics that the agent has beside those of its health, in Prometheus's text format."""
        return b""

    async def unit_stopped(self, bus: Bus, key: UnitKey, unit_config: UnitConfigT) -> None:
        """Clean up after a unit that was ended because it exceeded its limits, and could not do so itself."""

    async def started(self, bus: Bus) -> None:
        """Acquire what the units share. Redis may still be out of reach; calls of `bus` wait for it."""

    async def stopped(self) -> None:
        """Release what the units shared, also if `started` failed. All units have ended; `bus` still works."""


async def stopped_in_time(agent: Agent[Any, Any]) -> None:
    """Have an agent release what its units shared, within `STOPPED_LIMIT_S`."""
    try:
        async with asyncio.timeout(STOPPED_LIMIT_S):
            await agent.stopped()
    except TimeoutError:
        log.error("shared resources were not released in time", limit_s=STOPPED_LIMIT_S)  # noqa: TRY400
