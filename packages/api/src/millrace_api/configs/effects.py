"""What a new configuration starts, stops and restarts, worked out from the models alone, before it is written.

An agent plans its units itself. The names and dependencies here are those of its plan, which a test compares.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import msgspec

from millrace_api.configs.models import MODELS
from millrace_core.actions import ACTIONS
from millrace_core.config import (
    DbsyncConfig,
    ExecutorConfig,
    GathererConfig,
    MagicboxConfig,
    RiskLimits,
    parse_config,
)
from millrace_core.config.common import BaseConfig
from millrace_core.config.workers import WorkersConfig
from millrace_core.errors import ConfigInvalid

Effect = Literal["starts", "stops", "restarts"]
_Units = Mapping[str, Any]
"""Everything that each unit depends on, by the unit's name in heartbeats."""


class UnitEffect(msgspec.Struct, frozen=True):
    """What becomes of one unit. A pattern of symbols stands for the units of all symbols that match it."""

    unit: str
    effect: Effect


def effects(kind: str, before: bytes | None, after: bytes) -> list[UnitEffect] | None:
    """Return what becomes of an agent's units; None for a kind of agent whose plan is not known here.

    Units that go on unchanged are not listed. Of a configuration with mistakes nothing runs, so all units of the
    other one start or stop.
    """
    if kind not in _UNITS:
        return None
    old, new = _running(kind, before), _running(kind, after)
    found = [UnitEffect(name, "stops") for name in old if name not in new]
    found += [UnitEffect(name, "starts") for name in new if name not in old]
    found += [UnitEffect(name, "restarts") for name in new if name in old and old[name] != new[name]]
    return sorted(found, key=lambda each: each.unit)


def _running(kind: str, text: bytes | None) -> _Units:
    if text is None:
        return {}
    try:
        config = parse_config(MODELS[kind], text)
    except ConfigInvalid:
        return {}
    if config.agent.status == "stopped":
        return {}
    units = _UNITS[kind](config)
    workers = config.workers if isinstance(config, WorkersConfig) else 0
    return {name: (workers, held) for name, held in units.items()}


def _gatherer(config: Any) -> _Units:
    units: dict[str, Any] = {}
    for name, held in _streams(config):
        units[name] = (*units.get(name, ()), held)
    return units


def _streams(config: GathererConfig) -> Iterator[tuple[str, Any]]:
    for plan in config.workplans:
        shared = (
            config.exchanges[plan.tenant][plan.exchange_id],
            plan.retention,
            plan.snapshot_interval,
            plan.checksum_every,
        )
        for point in plan.data_points:
            action = ACTIONS[point.action]
            depends = (point.timeframe, point.limit) if action.per_timeframe else _depth(point)
            for symbol in (None,) if action.is_account_wide else plan.asset_pairs:
                parts = (plan.tenant, plan.exchange_id, point.action, symbol)
                yield ".".join(part for part in parts if part), (shared, depends)


def _depth(point: Any) -> Any:
    return point.limit if point.action == "watchOrderBook" else None


def _magicbox(config: MagicboxConfig) -> _Units:
    return {
        f"{plan.tenant}.{plugin.name or plugin.plugin_name}": (plugin, plan.subscriptions)
        for plan in config.workplans
        for plugin in plan.plugins
        if plugin.status == "started"
    }


def _executor(config: ExecutorConfig) -> _Units:
    units: dict[str, Any] = {}
    for tenant, accounts in config.exchanges.items():
        units[f"{tenant}.lease"] = tenant
        units[f"{tenant}.requests"] = config.agent.id
        units[f"{tenant}.risk"] = config.risk.get(tenant, RiskLimits()), frozenset(accounts)
        units |= {f"{tenant}.{exchange}": credentials for exchange, credentials in accounts.items()}
    return units


def _dbsync(config: DbsyncConfig) -> _Units:
    shards = 1 if config.workers == "each" else max(1, config.workers)
    batches = (config.batch_interval, config.batch_messages, config.warn_at_percent)
    units: dict[str, Any] = {}
    for tenant in {plan.tenant for plan in config.workplans}:
        ours = [plan for plan in config.workplans if plan.tenant == tenant]
        held = ({asset for plan in ours for asset in plan.assets}, any(plan.requests for plan in ours), batches)
        names = [f"{tenant}.journals"] if shards == 1 else [f"{tenant}.journals.{n + 1}" for n in range(shards)]
        units |= dict.fromkeys(names, held)
    if config.agents:
        units["agents"] = None
    currencies = {(plan.tenant, plan.equity_currency) for plan in config.workplans}
    return units | {"maintenance": (config.retention, currencies)}


def _api(config: BaseConfig) -> _Units:
    return {"http": config}


_UNITS: dict[str, Callable[[Any], _Units]] = {
    "gatherer": _gatherer,
    "magicbox": _magicbox,
    "executor": _executor,
    "dbsync": _dbsync,
    "api": _api,
}
