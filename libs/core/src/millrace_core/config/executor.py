"""The executor's configuration: the accounts to trade on, and each tenant's limits."""

from decimal import Decimal
from typing import Annotated, Final

from pydantic import Field

from millrace_core.config.common import BaseConfig, ConfigModel, Exchanges, SymbolField, TenantField

LARGEST: Final = Decimal(10) ** 18
"""Of money and amounts."""
CurrencyField = Annotated[str, Field(min_length=1, max_length=32)]
HoldingField = Annotated[Decimal, Field(ge=0, le=LARGEST)]


class RiskLimits(ConfigModel):
    """Limits on one tenant's orders; a limit that is absent does not bind."""

    max_order_notional: Decimal | None = Field(default=None, gt=0, le=LARGEST)
    """Price times amount of one order, in quote currency."""
    max_open_orders: int | None = Field(default=None, ge=0, le=1_000_000)
    """Not enforced yet."""
    max_orders_per_second: float | None = Field(default=None, ge=0.001, le=10_000)
    """New and edited ones, over all accounts of the tenant."""
    max_position: dict[CurrencyField, HoldingField] = {}
    """Largest holding by currency code. Not enforced yet."""
    price_collar_percent: Decimal | None = Field(default=None, gt=0, le=1_000)
    """How far from the book's mid a limit may be. Not enforced yet."""
    symbols: tuple[SymbolField, ...] | None = None
    """The only symbols that may be traded; None for all."""
    max_book_age_ms: int | None = Field(default=None, gt=0, le=86_400_000)
    """Refuse orders while the newest book is older. Not enforced yet."""


class ExecutorConfig(BaseConfig):
    """The whole configuration of an executor."""

    exchanges: Exchanges = {}
    """The accounts to trade on, by tenant and exchange."""
    risk: dict[TenantField, RiskLimits] = {}
    """Limits by tenant."""
