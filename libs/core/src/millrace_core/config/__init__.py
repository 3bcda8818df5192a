"""Agents' configurations: their models, and how their text is read. See docs/configuration.md."""

from millrace_core.config.alerts import AlertKind, AlertRule, AlertsConfig
from millrace_core.config.common import AgentSection, Credentials, Exchanges, revision
from millrace_core.config.dbsync import DbsyncConfig
from millrace_core.config.executor import ExecutorConfig, OrderLimits, RiskLimits
from millrace_core.config.gatherer import DataPoint, GathererConfig, GathererWorkplan
from millrace_core.config.magicbox import MagicboxConfig, MagicboxWorkplan, Plugin, StrategyLimits, StreamSubscription
from millrace_core.config.reading import AgentConfig, parse_config, read_json
from millrace_core.config.tenants import tenants_of
from millrace_core.config.workers import WorkerLimits, Workers, WorkersConfig

__all__ = [
    "AgentConfig",
    "AgentSection",
    "AlertKind",
    "AlertRule",
    "AlertsConfig",
    "Credentials",
    "DataPoint",
    "DbsyncConfig",
    "Exchanges",
    "ExecutorConfig",
    "GathererConfig",
    "GathererWorkplan",
    "MagicboxConfig",
    "MagicboxWorkplan",
    "OrderLimits",
    "Plugin",
    "RiskLimits",
    "StrategyLimits",
    "StreamSubscription",
    "WorkerLimits",
    "Workers",
    "WorkersConfig",
    "parse_config",
    "read_json",
    "revision",
    "tenants_of",
]
