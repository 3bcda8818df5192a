"""An agent whose units may run in workers, run as a process. Its configuration says what its units do."""

import asyncio
import os
import time
from collections.abc import Mapping
from itertools import count

from millrace_bus import Bus
from millrace_core.config.workers import WorkersConfig
from millrace_core.errors import MillraceError
from millrace_service import Agent, UnitHealthReporter, UnitLimits, main

TICK_S = 0.02
START_TICKS = 10
"""After so many a unit that loops begins to: its worker has reported it as live."""
_PARENT = os.getppid()


class BusyConfig(WorkersConfig):
    """Units by name, with what they do: count, loop, leak, fail, exit."""

    units: dict[str, str] = {}
    stops: bool = False
    """Whether a unit that exceeds its limits is stopped."""


class BusyAgent(Agent[BusyConfig, tuple[str, bool]]):
    """Runs what its configuration names; a unit's group is the text before a slash in its name."""

    kind = "busy"
    config_model = BusyConfig

    def __init__(self) -> None:
        self._bus: Bus | None = None

    def units(self, config: BusyConfig) -> Mapping[str, tuple[str, bool]]:
        """Return the units."""
        return {name: (work, config.stops) for name, work in config.units.items()}

    def limits(self, unit_config: tuple[str, bool]) -> UnitLimits | None:
        """Return tight limits for units that are to be stopped."""
        return UnitLimits(memory_mb=300, stall_s=2.0, stops=True) if unit_config[1] else None

    def together(self, key: str, unit_config: tuple[str, bool]) -> str:
        """Return the unit's group."""
        return key.partition("/")[0]

    async def unit_stopped(self, bus: Bus, key: str, unit_config: tuple[str, bool]) -> None:
        """Leave a note in Redis, as a configuration that nobody reads."""
        await bus.put_config(f"STOPPED-{key}", f"by {os.getpid()}")  # type: ignore[arg-type]

    async def started(self, bus: Bus) -> None:
        """Fail in a worker when the environment says so."""
        self._bus = bus
        if (reason := os.environ.get("BUSY_FAILS_IN_WORKER")) and os.getppid() != _PARENT:
            raise MillraceError(reason)

    async def run_unit(self, key: str, unit_config: tuple[str, bool], health: UnitHealthReporter) -> None:
        """Do what the configuration says."""
        health.state("live", f"in {os.getpid()}")
        kept = []
        for ticks in count():
            await asyncio.sleep(TICK_S)
            health.count("ticks")
            health.latency("tick", 1_000_000)
            match unit_config[0]:
                case "loop" if ticks > START_TICKS:
                    while True:
                        pass
                case "nap":
                    time.sleep(0.2)  # noqa: ASYNC251 - the fault under test
                case "leak":
                    kept.append(b"x" * (8 << 20))
                case "start a process" if ticks == 1:
                    child = await asyncio.create_subprocess_exec("sleep", "1000")
                    health.state("live", f"started {child.pid}")
                case "give up":
                    health.state("stopped", "gave up")
                    await asyncio.Event().wait()
                case "fail":
                    raise ValueError("a defect")
                case "exit":
                    os._exit(7)


if __name__ == "__main__":
    main(BusyAgent)
