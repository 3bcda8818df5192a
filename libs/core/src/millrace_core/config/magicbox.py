"""Magicbox's configuration: which strategies run on which streams."""

from typing import Any

from pydantic import Field

from millrace_core.actions import WatchAction
from millrace_core.config.common import TENANT, ConfigModel, ExchangeField, SymbolField, TenantField, WorkStatus
from millrace_core.config.workers import Workers, WorkersConfig


class StrategyLimits(ConfigModel):
    """What a strategy may use; one that goes beyond is stopped until it is started again or its configuration changes.

    Memory and stalls are watched where the strategy has a process of its own.
    """

    memory_mb: float = Field(default=500.0, ge=64, le=1_000_000)
    """Resident memory of its process."""
    stall_seconds: float = Field(default=5.0, ge=2, le=600)
    """How long a hook may keep the process from doing anything else."""
    event_ms: float | None = Field(default=None, gt=0, le=600_000)
    """How long the hooks of one event may take, waiting included; None for any time."""
    errors_per_minute: int = Field(default=60, ge=1, le=1_000_000)
    """How many of its hooks' errors in a minute are tolerated, whatever succeeds in between."""
    cancels_orders: bool = False
    """Whether its open orders are cancelled when it is stopped for exceeding a limit."""


class Plugin(ConfigModel):
    """One strategy and its settings."""

    plugin_name: str = Field(min_length=1)
    """An entry point's name, or that of a class in a file of the plugin folder."""
    name: str | None = None
    """A name of its own, which its orders carry as their source. Default: `pluginName`."""
    status: WorkStatus = "started"
    """`stopped` ends this strategy alone; its open orders stay open unless it cancels them itself."""
    configuration: dict[str, Any] = {}
    """The strategy's own settings, which it checks."""
    limits: StrategyLimits = StrategyLimits()
    """What it may use."""


class StreamSubscription(ConfigModel):
    """One stream that the strategies of a workplan follow."""

    exchange_id: ExchangeField
    """ccxt's id of the exchange."""
    symbol: SymbolField | None = None
    """None for account-wide streams, such as balances."""
    data_point: WatchAction
    """The kind of data, by the name of ccxt's method."""
    is_public: bool = False
    """Read the feed that all tenants share instead of the tenant's own."""


class MagicboxWorkplan(ConfigModel):
    """Strategies of one tenant, and the streams that they follow."""

    tenant: TenantField = Field(validation_alias=TENANT)
    """For whom they trade."""
    plugins: tuple[Plugin, ...] = Field(min_length=1)
    """The strategies; each is a unit of its own."""
    subscriptions: tuple[StreamSubscription, ...] = ()
    """What each of them receives."""


class MagicboxConfig(WorkersConfig):
    """The whole configuration of a magicbox."""

    workplans: tuple[MagicboxWorkplan, ...] = ()
    """What runs."""
    workers: Workers = "each"
    """0 for the agent's own process, a number of processes that the strategies share, or `each`: one a strategy, so
    that one that fails harms no other."""
