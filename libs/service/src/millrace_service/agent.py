"""What a micro-service gives so that this library can run it: its kind, its configuration, its units of work."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Generic, TypeVar

from millrace_bus import Bus
from millrace_core.config.common import BaseConfig
from millrace_service.health import UnitHealthReporter

ConfigT = TypeVar("ConfigT", bound=BaseConfig)
UnitConfigT = TypeVar("UnitConfigT")

UnitKey = str
"""Readable name of a unit, such as `PUBLIC.binance.watchTrades.ETH/BTC`; the heartbeat calls it so."""


class Agent(ABC, Generic[ConfigT, UnitConfigT]):
    """A micro-service: derive from it, and hand the class to `millrace_service.main`.

    Calls come in this order: `started`, then for each configuration `units` and `warnings` and the
    `run_unit`s that it asks for, at last `stopped`. All in one event loop.
    """

    kind: ClassVar[str]
    """What it is, in one word: `gatherer`."""
    config_model: type[ConfigT]
    """The model that its configuration must meet."""

    @abstractmethod
    def units(self, config: ConfigT) -> Mapping[UnitKey, UnitConfigT]:
        """Return the work that a configuration asks for.

        Pure. Secrets are decrypted already. Units are compared by `==`: one whose `UnitConfig` equals
        the running one's is left running, so put everything into it that the unit depends on, and nothing else.

        Raises:
            ConfigInvalid: the configuration has mistakes that its model cannot see; nothing will change.
        """

    @abstractmethod
    async def run_unit(self, key: UnitKey, unit_config: UnitConfigT, health: UnitHealthReporter) -> None:
        """Do one unit's work until cancelled.

        Call `health.state("live")` when it works; until then it shows as `starting`. Whatever it raises
        is logged once and shown in the heartbeat, and the unit is run again after a growing pause; so is
        one that returns. On cancellation clean up and end within `STOP_LIMIT_S` (see `supervisor`): its
        successor waits for that.
        """

    def warnings(self, config: ConfigT) -> Sequence[str]:
        """Return what a person should know of this configuration although it is valid. Pure."""
        return ()

    async def started(self, bus: Bus) -> None:
        """Take hold of what the units share. Redis may be out of reach still; `bus` waits for it."""

    async def stopped(self) -> None:
        """Let go of what the units shared; also after a `started` that failed. All units have ended, `bus` works."""
