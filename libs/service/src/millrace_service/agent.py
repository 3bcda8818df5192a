"""The interface of a micro-service: its kind, its configuration, its units of work."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Generic, TypeVar

from millrace_bus import Bus
from millrace_core.config.common import BaseConfig
from millrace_service.health import UnitHealthReporter

ConfigT = TypeVar("ConfigT", bound=BaseConfig)
UnitConfigT = TypeVar("UnitConfigT")

UnitKey = str
"""Name of a unit in the heartbeat, such as `PUBLIC.binance.watchTrades.ETH/BTC`."""


class Agent(ABC, Generic[ConfigT, UnitConfigT]):
    """A micro-service. Derive from it, and pass the class to `millrace_service.main`.

    Calls come in this order, all in one event loop: `started`; for each configuration `units`, `warnings` and
    `run_unit` for each unit; `stopped`.
    """

    kind: ClassVar[str]
    """One word for what it is, such as `gatherer`."""
    config_model: type[ConfigT]
    """The model that its configuration must meet."""
    needs_config: ClassVar[bool] = True
    """False: without a configuration in Redis the agent runs with its model's defaults."""

    @abstractmethod
    def units(self, config: ConfigT) -> Mapping[UnitKey, UnitConfigT]:
        """Return the work that a configuration asks for.

        Pure. Secrets are decrypted. Units are compared by `==`: a unit keeps running if its `UnitConfig` is
        equal to before, so put everything into it that the unit depends on, and nothing else.

        Raises:
            ConfigInvalid: the configuration has mistakes that its model cannot find; nothing changes.
        """

    @abstractmethod
    async def run_unit(self, key: UnitKey, unit_config: UnitConfigT, health: UnitHealthReporter) -> None:
        """Do one unit's work until cancelled.

        Call `health.state("live")` when it works; until then the unit shows as `starting`. An error, a return,
        or a cancellation from inside is a failure: it is logged once and shown in the heartbeat, and the unit
        is run again after a growing pause. When cancelled, clean up and end within `unit.STOP_LIMIT_S`: the
        unit's next run waits for that.
        """

    def warnings(self, config: ConfigT) -> Sequence[str]:
        """Return warnings about a valid configuration, such as settings without effect. Pure."""
        return ()

    async def started(self, bus: Bus) -> None:
        """Acquire what the units share. Redis may still be out of reach; calls of `bus` wait for it."""

    async def stopped(self) -> None:
        """Release what the units shared, also if `started` failed. All units have ended; `bus` still works."""
