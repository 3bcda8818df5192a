"""Records of positions, profit and equity, camelCase as JSON. Money is `Decimal`, times are ms."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec


class _Record(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A row as queries return it."""


class PositionRecord(_Record, frozen=True, kw_only=True):
    """What the own trades of one strategy in one market add up to. Its money is in `currency`."""

    exchange: str
    symbol: str
    order_source: str | None
    """The strategy or person; None for trades that belong to no known request."""
    currency: str
    """The quote currency, of derivatives the one in which they are settled."""
    quantity: Decimal
    """In base currency, of derivatives in contracts; below zero for a short position."""
    cost: Decimal
    """What the open position cost; below zero for what a short position was sold for."""
    average_price: Decimal | None
    """The cost of one unit, 28 digits; None without a position, and for derivatives, whose contracts have sizes."""
    price: Decimal | None
    """The newest stored price of a spot market; None if none is known from the last hour."""
    price_at_ms: int | None
    unrealised: Decimal | None
    """What closing the position at `price` would earn, without fees; None without a price."""
    realised: Decimal
    """Profit of what was closed, less the fees; those in `unvalued_fees` are left out."""
    fees: Decimal
    """The value of all fees at their time; those in `unvalued_fees` are left out."""
    fees_by_currency: Mapping[str, Decimal]
    """All fees as they were charged."""
    unvalued_fees: Mapping[str, Decimal]
    """The fees whose value is not known: no price of their currency was stored within an hour before."""
    bought: Decimal
    sold: Decimal
    turnover: Decimal
    """The value of everything that was bought or sold."""
    trades: int
    updated_ms: int
    """When the newest trade was made."""


class ProfitRecord(_Record, frozen=True, kw_only=True):
    """Profit of a period. What it is summed over is None."""

    at_ms: int
    """When the period began: an interval (UTC), or the whole range, 0 if that has no beginning."""
    exchange: str | None
    symbol: str | None
    order_source: str | None
    """The strategy or person; None also for trades that belong to no known request."""
    currency: str
    """Profits of different currencies are never summed."""
    realised: Decimal
    """Profit of what was closed, less the fees; those in `unvalued_fees` are left out."""
    fees: Decimal
    fees_by_currency: Mapping[str, Decimal]
    unvalued_fees: Mapping[str, Decimal]
    turnover: Decimal
    trades: int


class Holding(_Record, frozen=True, kw_only=True):
    """The balance of one currency on one exchange, and its value."""

    exchange: str
    currency: str
    amount: Decimal
    """What is owned: without the debt, and below zero if more is owed than held."""
    debt: Decimal | None = None
    """What is owed; None if nothing is, or the exchange does not say."""
    price: Decimal | None
    value: Decimal | None
    """None if no price of the last hour is stored."""


class EquityRecord(_Record, frozen=True, kw_only=True):
    """The value of all balances of a tenant at a moment."""

    at_ms: int
    currency: str
    value: Decimal
    """Without what is in `unvalued`."""
    by_exchange: Mapping[str, Decimal]
    unvalued: list[Holding]
    """Balances whose value is not known."""
    holdings: list[Holding] | None
    """All balances, those without a value too; None if they were not asked for."""
