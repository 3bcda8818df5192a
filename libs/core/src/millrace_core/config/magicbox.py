"""Magicbox's configuration: which strategies run on which streams."""

from typing import Any

from pydantic import Field

from millrace_core.actions import WatchAction
from millrace_core.config.common import TENANT, BaseConfig, ConfigModel, ExchangeField, SymbolField, TenantField


class Plugin(ConfigModel):
    """One strategy and its settings."""

    plugin_name: str = Field(min_length=1)
    """An entry point's name, or that of a class in a file of the plugin folder."""
    name: str | None = None
    """A name of its own, which its orders carry as their source. Default: `pluginName`."""
    configuration: dict[str, Any] = {}
    """The strategy's own settings, which it checks."""


class StreamSubscription(ConfigModel):
    """One stream that the strategies of a workplan follow."""

    exchange_id: ExchangeField
    symbol: SymbolField | None = None
    """None for account-wide streams, such as balances."""
    data_point: WatchAction
    is_public: bool = False
    """Read the feed that all tenants share instead of the tenant's own."""


class MagicboxWorkplan(ConfigModel):
    """Strategies of one tenant, and the streams that they follow."""

    tenant: TenantField = Field(validation_alias=TENANT)
    plugins: tuple[Plugin, ...] = Field(min_length=1)
    subscriptions: tuple[StreamSubscription, ...] = ()


class MagicboxConfig(BaseConfig):
    """The whole configuration of a magicbox."""

    workplans: tuple[MagicboxWorkplan, ...] = ()
