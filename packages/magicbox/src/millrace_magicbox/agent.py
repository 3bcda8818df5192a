"""Magicbox as a service: each strategy is a unit of its own."""

from collections.abc import Mapping
from pathlib import Path

from millrace_bus import Bus
from millrace_core.config import MagicboxConfig
from millrace_core.names import AgentId
from millrace_magicbox.order_canceller import cancel_open_orders
from millrace_magicbox.plan import StrategyPlan, plans
from millrace_magicbox.plugin_catalog import publish_plugins
from millrace_magicbox.plugin_checks import check_plugins
from millrace_magicbox.strategy_run import StrategyRun
from millrace_service import Agent, UnitHealthReporter, UnitKey
from millrace_service.agent import UnitLimits


class MagicboxAgent(Agent[MagicboxConfig, StrategyPlan]):
    """Runs strategies, found by name as installed plugins or in files of the plugin folder."""

    kind = "magicbox"
    config_model = MagicboxConfig

    def __init__(self, plugin_folder: Path | None) -> None:
        self._plugin_folder = plugin_folder
        self._bus: Bus | None = None
        self._runs: dict[UnitKey, StrategyRun] = {}

    def units(self, config: MagicboxConfig) -> Mapping[UnitKey, StrategyPlan]:
        """Return the strategies that the configuration asks for."""
        return plans(config)

    async def check(self, units: Mapping[UnitKey, StrategyPlan]) -> None:
        """Check that every strategy can be loaded and takes its configuration."""
        await check_plugins(units.values(), self._plugin_folder)

    async def own_work(self, bus: Bus, agent_id: AgentId) -> None:
        """Publish the strategies that can be run, with the schemas of their configurations."""
        await publish_plugins(bus, agent_id, self._plugin_folder)

    def limits(self, unit_config: StrategyPlan) -> UnitLimits:
        """Return what a strategy may use; one that goes beyond stays stopped."""
        limits = unit_config.limits
        return UnitLimits(memory_mb=limits.memory_mb, stall_s=limits.stall_seconds, stops=True)

    async def unit_stopped(self, bus: Bus, key: UnitKey, unit_config: StrategyPlan) -> None:
        """Cancel the open orders of a strategy whose process was killed, if its configuration says so."""
        if unit_config.limits.cancels_orders:
            await cancel_open_orders(bus, unit_config)

    async def started(self, bus: Bus) -> None:
        """Keep the bus, which all strategies share."""
        self._bus = bus

    async def run_unit(self, key: UnitKey, unit_config: StrategyPlan, health: UnitHealthReporter) -> None:
        """Run one strategy, also again after another magicbox ran it; its file is read again each time."""
        if self._bus is None:
            raise RuntimeError("run_unit before started")
        while True:
            run = self._runs[key] = StrategyRun(unit_config, self._bus, health, self._plugin_folder)
            try:
                await run.run()
            finally:
                del self._runs[key]

    async def replace_unit(self, key: UnitKey, unit_config: StrategyPlan) -> bool:
        """Have changed code or settings of a running strategy take over without a missed event."""
        run = self._runs.get(key)
        return run is not None and await run.replace(unit_config)
