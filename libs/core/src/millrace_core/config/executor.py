"""The executor's configuration: the accounts to trade on, and each tenant's limits."""

from decimal import Decimal
from typing import Annotated, Final

from pydantic import Field

from millrace_core.config.common import BaseConfig, ConfigModel, ExchangeField, Exchanges, SymbolField, TenantField

LARGEST: Final = Decimal(10) ** 18
"""Of money and amounts."""
CurrencyField = Annotated[str, Field(min_length=1, max_length=32)]
SourceField = Annotated[str, Field(min_length=1, max_length=128)]
HoldingField = Annotated[Decimal, Field(ge=0, le=LARGEST)]


class OrderLimits(ConfigModel):
    """Limits on orders; a limit that is absent does not bind."""

    max_order_notional: Decimal | None = Field(default=None, gt=0, le=LARGEST)
    """Value of one order in quote currency. A market order is valued by the trusted book."""
    max_open_orders: int | None = Field(default=None, ge=0, le=1_000_000)
    """Open orders, those on their way included."""
    max_orders_per_second: float | None = Field(default=None, ge=0.001, le=10_000)
    """New and edited ones."""
    price_collar_percent: Decimal | None = Field(default=None, gt=0, le=1_000)
    """How far a limit or trigger price, or the price that a market order would reach, may be from the book's mid."""
    symbols: tuple[SymbolField, ...] | None = None
    """The only symbols that may be traded; None for all."""
    max_book_age_ms: int | None = Field(default=None, gt=0, le=86_400_000)
    """Refuse orders unless the trusted book changed, or was confirmed, within this time."""
    duplicate_window_ms: int | None = Field(default=None, gt=0, le=3_600_000)
    """Refuse an order whose terms and source are those of an order of the last so many ms."""
    max_position: dict[CurrencyField, HoldingField] = {}
    """Largest holding by currency code: what is held, and what the open orders would add. Of contracts, the position
    long or short in the base currency. A source's orders are refused by what the account could come to hold."""

    @property
    def needs_book(self) -> bool:
        """Tell whether every order has to be compared with the trusted book."""
        return self.price_collar_percent is not None or self.max_book_age_ms is not None

    @property
    def measures_orders(self) -> bool:
        """Tell whether it matters what an order is worth."""
        return self.max_order_notional is not None or bool(self.max_position)

    @property
    def needs_exposure(self) -> bool:
        """Tell whether it matters what an account holds and has open."""
        return self.max_open_orders is not None or bool(self.max_position)

    @property
    def needs_terms(self) -> bool:
        """Tell whether it matters what an edit leaves as it is."""
        return self.needs_book or self.measures_orders or self.needs_exposure or self.duplicate_window_ms is not None

    @property
    def binds_orders(self) -> bool:
        """Tell whether it limits anything."""
        return self.needs_terms or self.max_orders_per_second is not None or self.symbols is not None


class RiskLimits(OrderLimits):
    """Limits on all orders of one tenant, and further ones on parts of them. An order has to be within all."""

    max_daily_loss: dict[CurrencyField, HoldingField] = {}
    """Realised loss since midnight UTC, by the currency of the profit: beyond it all trading of the tenant is halted.

    It is read from the database every 5 s; dbsync must store the tenant's own trades.
    """
    runaway_orders_per_minute: int | None = Field(default=None, ge=1, le=1_000_000)
    """Halt an order source that asks for more orders and edits than this within a minute, whatever becomes of them."""
    accounts: dict[ExchangeField, OrderLimits] = {}
    """Further limits on the account of one exchange."""
    sources: dict[SourceField, OrderLimits] = {}
    """Further limits on one order source: a strategy or a person."""


class ExecutorConfig(BaseConfig):
    """The whole configuration of an executor."""

    exchanges: Exchanges = {}
    """The accounts to trade on, by tenant and exchange."""
    risk: dict[TenantField, RiskLimits] = {}
    """Limits by tenant."""
