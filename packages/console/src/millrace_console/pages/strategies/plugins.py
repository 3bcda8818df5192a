"""The strategies of a magicbox's configuration, and the configuration with one of them changed. Pure."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, NamedTuple


class PlannedStrategy(NamedTuple):
    """A strategy as a configuration plans it."""

    tenant: str
    name: str
    """Its orders carry it as their source."""
    plugin: str
    parameters: Mapping[str, Any]
    path: str
    """Where its settings stand in the configuration."""
    is_stopped: bool
    """Whether the configuration says that this one is not to run."""

    @property
    def unit(self) -> str:
        """The name of its unit in the agent's heartbeat."""
        return f"{self.tenant}.{self.name}"


def planned(config: Mapping[str, Any]) -> list[PlannedStrategy]:
    """Return the strategies of a configuration, in its order."""
    return [
        PlannedStrategy(
            tenant, _name(plugin), plugin.get("pluginName", ""), plugin.get("configuration") or {},
            f"{path}.configuration", plugin.get("status") == "stopped",
        )
        for tenant, plugin, path in _plugins(config)
    ]  # fmt: skip


def with_parameters(config: Mapping[str, Any], unit: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration with new settings of one strategy."""
    return _changed(config, unit, {"configuration": dict(parameters)})


def with_strategy_status(config: Mapping[str, Any], unit: str, status: str) -> dict[str, Any]:
    """Return the configuration with one strategy started or stopped."""
    return _changed(config, unit, {"status": status})


def _changed(config: Mapping[str, Any], unit: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    changed = deepcopy(dict(config))
    for tenant, plugin, _ in _plugins(changed):
        if f"{tenant}.{_name(plugin)}" == unit:
            plugin.update(fields)
    return changed


def with_status(config: Mapping[str, Any], status: str) -> dict[str, Any]:
    """Return the configuration with the agent started or stopped."""
    changed = deepcopy(dict(config))
    changed["agent"] = dict(changed.get("agent") or {}) | {"status": status}
    return changed


def is_stopped(config: Mapping[str, Any]) -> bool:
    """Tell whether the configuration says that nothing of the agent is to run."""
    return (config.get("agent") or {}).get("status") == "stopped"


def _plugins(config: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any], str]]:
    for number, workplan in enumerate(config.get("workplans") or ()):
        tenant = workplan.get("tenant") or workplan.get("tenantId") or ""
        for index, plugin in enumerate(workplan.get("plugins") or ()):
            yield tenant, plugin, f"$.workplans[{number}].plugins[{index}]"


def _name(plugin: Mapping[str, Any]) -> str:
    return str(plugin.get("name") or plugin.get("pluginName") or "")
