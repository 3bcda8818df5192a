"""An agent of the tests' own, run as a process. Its configuration says what its units do."""

import asyncio
import os
import sys
import time
from collections.abc import Mapping

from millrace_bus import Bus
from millrace_core.config.common import BaseConfig
from millrace_service import Agent, SettingsInvalid, UnitHealthReporter, main


class TinyConfig(BaseConfig):
    """Units by name, with what they do: live, stubborn, blocking."""

    units: dict[str, str] = {}


class TinyAgent(Agent[TinyConfig, str]):
    """Runs what its configuration names."""

    kind = "tiny"
    config_model = TinyConfig

    def __init__(self) -> None:
        size = os.environ.get("TINY_SIZE", "0")
        if not size.isdecimal():
            raise SettingsInvalid(f"TINY_SIZE is {size!r}; it must be a number")

    def units(self, config: TinyConfig) -> Mapping[str, str]:
        """Return the units."""
        return config.units

    async def started(self, bus: Bus) -> None:
        """Fail when the environment says so."""
        if reason := os.environ.get("TINY_FAILS"):
            raise OSError(reason)

    async def run_unit(self, key: str, unit_config: str, health: UnitHealthReporter) -> None:
        """Live; or do not end when cancelled; or hold up the whole process."""
        health.state("live")
        if unit_config == "blocking":
            sys.stderr.write("blocking\n")
            sys.stderr.flush()
            time.sleep(3600)  # noqa: ASYNC251 - the fault under test
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if unit_config != "stubborn":
                    raise


if __name__ == "__main__":
    main(TinyAgent)
