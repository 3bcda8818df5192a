"""The executor's configuration: accounts to trade on, and the limits within which."""

from decimal import Decimal

from pydantic import Field

from millrace_core.config.common import BaseConfig, ConfigModel, Exchanges, SymbolField, TenantField


class RiskLimits(ConfigModel):
    """What one tenant may do; a limit that is absent does not bind."""

    max_order_notional: Decimal | None = Field(default=None, gt=0)
    """Price times amount of one order, in quote currency."""
    max_open_orders: int | None = Field(default=None, ge=0)
    max_orders_per_second: float | None = Field(default=None, gt=0)
    max_position: dict[str, Decimal] = {}
    """Largest holding by currency code."""
    price_collar_percent: Decimal | None = Field(default=None, gt=0)
    """How far from the book's mid a limit may be."""
    symbols: tuple[SymbolField, ...] | None = None
    """The only symbols that may be traded; None for all."""
    max_book_age_ms: int | None = Field(default=None, gt=0)
    """Refuse orders while the newest book is older."""


class ExecutorConfig(BaseConfig):
    """The whole configuration of an executor."""

    exchanges: Exchanges = {}
    risk: dict[TenantField, RiskLimits] = {}
