"""The rules of a symbol as Binance publishes them; `msgspec.to_builtins` returns the published form.

Source: Binance Spot API, "Filters".
"""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from millrace_simulator.venue import SymbolRules, decimal_text

ICEBERG_PARTS = 10


class Filter(Struct, frozen=True, tag_field="filterType", rename="camel"):
    """A rule that every order of a symbol meets; decimals are text, as published."""

    @property
    def name(self) -> str:
        """Return the rule's name as Binance writes it."""
        return str(self.__struct_config__.tag)


class PriceFilter(Filter, frozen=True, tag="PRICE_FILTER", rename="camel"):
    """Bounds and step of a price."""

    min_price: str
    max_price: str
    tick_size: str


class LotSize(Filter, frozen=True, tag="LOT_SIZE", rename="camel"):
    """Bounds and step of a quantity."""

    min_qty: str
    max_qty: str
    step_size: str


class IcebergParts(Filter, frozen=True, tag="ICEBERG_PARTS", rename="camel"):
    """Into how many parts an iceberg order may fall."""

    limit: int


class MarketLotSize(Filter, frozen=True, tag="MARKET_LOT_SIZE", rename="camel"):
    """Bounds and step of a market order's quantity; a step of 0 leaves that to LOT_SIZE."""

    min_qty: str
    max_qty: str
    step_size: str


class TrailingDelta(Filter, frozen=True, tag="TRAILING_DELTA", rename="camel"):
    """Bounds of a trailing stop's distance, in basis points."""

    min_trailing_above_delta: int
    max_trailing_above_delta: int
    min_trailing_below_delta: int
    max_trailing_below_delta: int


class PercentPriceBySide(Filter, frozen=True, tag="PERCENT_PRICE_BY_SIDE", rename="camel"):
    """How far a price may lie from the average of the last minutes (0 minutes: from the last trade)."""

    bid_multiplier_up: str
    bid_multiplier_down: str
    ask_multiplier_up: str
    ask_multiplier_down: str
    avg_price_mins: int


class MinNotional(Filter, frozen=True, tag="MIN_NOTIONAL", rename="camel"):
    """The least that price × quantity must be."""

    min_notional: str
    apply_to_market: bool
    avg_price_mins: int


class Notional(Filter, frozen=True, tag="NOTIONAL", rename="camel"):
    """The least and the most that price × quantity may be."""

    min_notional: str
    apply_min_to_market: bool
    max_notional: str
    apply_max_to_market: bool
    avg_price_mins: int


class MaxNumOrders(Filter, frozen=True, tag="MAX_NUM_ORDERS", rename="camel"):
    """How many orders an account may have open on the symbol."""

    max_num_orders: int


class MaxNumAlgoOrders(Filter, frozen=True, tag="MAX_NUM_ALGO_ORDERS", rename="camel"):
    """How many of an account's open orders may wait for a trigger."""

    max_num_algo_orders: int


class MaxNumOrderLists(Filter, frozen=True, tag="MAX_NUM_ORDER_LISTS", rename="camel"):
    """How many order lists an account may have open on the symbol."""

    max_num_order_lists: int


class MaxNumOrderAmends(Filter, frozen=True, tag="MAX_NUM_ORDER_AMENDS", rename="camel"):
    """How often one order may be amended."""

    max_num_order_amends: int


def filters(rules: SymbolRules) -> tuple[Filter, ...]:
    """Return the rules of a symbol as Binance publishes them; PRICE_FILTER is first, where some clients expect it."""
    zero = decimal_text(Decimal(0))
    up, down = str(rules.percent_price_up), str(rules.percent_price_down)
    least, most, minutes = (
        decimal_text(rules.min_notional),
        decimal_text(rules.max_notional),
        rules.average_price_minutes,
    )
    return (
        PriceFilter(decimal_text(rules.tick_size), decimal_text(rules.max_price), decimal_text(rules.tick_size)),
        LotSize(decimal_text(rules.lot_size), decimal_text(rules.max_quantity), decimal_text(rules.lot_size)),
        IcebergParts(ICEBERG_PARTS),
        MarketLotSize(zero, decimal_text(rules.max_market_quantity), zero),
        TrailingDelta(10, 2000, 10, 2000),
        PercentPriceBySide(up, down, up, down, minutes),
        Notional(least, True, most, False, minutes),
        MinNotional(least, True, minutes),
        MaxNumOrders(rules.max_orders),
        MaxNumAlgoOrders(rules.max_algo_orders),
        MaxNumOrderLists(rules.max_order_lists),
        MaxNumOrderAmends(rules.max_amendments),
    )
