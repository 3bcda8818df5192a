"""A new order, from parameters to the venue's request; each type has fields that it must and must not have.

Source: Binance's rest-api.md, "New order", "Some additional mandatory parameters based on order type".
"""

from __future__ import annotations

from decimal import Decimal
from typing import TypeVar

from millrace_matching import OrderType, SelfTradePrevention, Side, TimeInForce
from millrace_simulator.binance import errors
from millrace_simulator.binance.errors import BinanceError
from millrace_simulator.binance.parameters import CLIENT_ORDER_ID, Parameters
from millrace_simulator.venue import Instrument, OrderRequest

LOWEST_STRATEGY_TYPE = 1_000_000

Choice = TypeVar("Choice", Side, OrderType)

_MANDATORY: dict[OrderType, tuple[str, ...]] = {
    OrderType.LIMIT: ("timeInForce", "quantity", "price"),
    OrderType.MARKET: (),
    OrderType.STOP_LOSS: ("quantity", "stopPrice"),
    OrderType.STOP_LOSS_LIMIT: ("timeInForce", "quantity", "price", "stopPrice"),
    OrderType.TAKE_PROFIT: ("quantity", "stopPrice"),
    OrderType.TAKE_PROFIT_LIMIT: ("timeInForce", "quantity", "price", "stopPrice"),
    OrderType.LIMIT_MAKER: ("quantity", "price"),
}
_PEG = ("pegPriceType", "pegOffsetValue", "pegOffsetType")
ORDER_NEEDS = ("symbol", "side", "type")
ORDER_TAKES = (
    "timeInForce",
    "quantity",
    "quoteOrderQty",
    "price",
    "newClientOrderId",
    "strategyId",
    "strategyType",
    "stopPrice",
    "trailingDelta",
    "icebergQty",
    "newOrderRespType",
    "selfTradePreventionMode",
    *_PEG,
)
"""The parameters of a new order, beside those that each needs."""

LEG_TAKES = (
    "clientOrderId",
    "icebergQty",
    "price",
    "stopPrice",
    "trailingDelta",
    "timeInForce",
    "strategyId",
    "strategyType",
    *_PEG,
)
"""The parameters of one order of a list, with its prefix, beside its type."""

_CHECKED = ("timeInForce", "price", "stopPrice", "quoteOrderQty")


def read_order(parameters: Parameters, instrument: Instrument) -> OrderRequest:
    """Return the order that the parameters ask for; the venue checks filters and balances.

    Raises:
        BinanceError: a field is missing, wrong, or not of this type of order.
    """
    side, order_type = read_side(parameters), read_type(parameters)
    _check_fields(parameters, order_type)
    quantity, quote_quantity = _read_size(parameters, order_type)
    return OrderRequest(
        symbol=instrument.symbol,
        side=side,
        type=order_type,
        quantity=quantity,
        quote_quantity=quote_quantity,
        price=parameters.decimal("price"),
        time_in_force=_read_time_in_force(parameters),
        stop_price=parameters.decimal("stopPrice"),
        client_order_id=parameters.text("newClientOrderId", CLIENT_ORDER_ID),
        self_trade_prevention=read_self_trade_prevention(parameters, instrument),
        strategy_id=parameters.integer("strategyId"),
        strategy_type=_read_strategy_type(parameters),
    )


def read_leg(
    leg: Parameters, instrument: Instrument, side: Side, quantity: Decimal, prevention: SelfTradePrevention | None
) -> OrderRequest:
    """Return one order of a list; side, quantity and self-trade prevention are read already.

    Raises:
        BinanceError: a field is missing, wrong, or not of this type of order.
    """
    order_type = read_type(leg)
    _check_fields(leg, order_type, shared=("quantity",))
    return OrderRequest(
        symbol=instrument.symbol,
        side=side,
        type=order_type,
        quantity=quantity,
        price=leg.decimal("price"),
        time_in_force=_read_time_in_force(leg),
        stop_price=leg.decimal("stopPrice"),
        client_order_id=leg.text("clientOrderId", CLIENT_ORDER_ID),
        self_trade_prevention=prevention,
        strategy_id=leg.integer("strategyId"),
        strategy_type=_read_strategy_type(leg),
    )


def read_type(parameters: Parameters) -> OrderType:
    """Return the type of an order.

    Raises:
        BinanceError: it is missing (-1102) or unknown (-1116).
    """
    return _required_choice(parameters, "type", OrderType, BinanceError(-1116, "Invalid orderType."))


def read_side(parameters: Parameters) -> Side:
    """Return the side of an order.

    Raises:
        BinanceError: it is missing (-1102) or unknown (-1117).
    """
    return _required_choice(parameters, "side", Side, BinanceError(-1117, "Invalid side."))


def _required_choice(parameters: Parameters, name: str, choices: type[Choice], refusal: BinanceError) -> Choice:
    value = parameters.required(name)
    if value not in choices.__members__:
        raise refusal
    return choices(value)


def _check_fields(parameters: Parameters, order_type: OrderType, shared: tuple[str, ...] = ()) -> None:
    """Refuse what is not served, what is missing, and what does not belong; `shared` is read elsewhere."""
    if "trailingDelta" in parameters:
        raise errors.rejected("Trailing stop orders are not supported for this symbol.")
    if "icebergQty" in parameters:
        raise errors.rejected("Iceberg orders are not supported for this symbol.")
    if any(name in parameters for name in _PEG):
        raise errors.rejected("Pegged orders are not supported for this symbol.")
    mandatory = _MANDATORY[order_type]
    for name in mandatory:
        if name not in shared:
            parameters.required(name)
    for name in _CHECKED:
        if name in parameters and name not in mandatory and not _is_quote_order(name, order_type):
            raise errors.not_required(parameters.sent_name(name))


def _is_quote_order(name: str, order_type: OrderType) -> bool:
    return name == "quoteOrderQty" and order_type is OrderType.MARKET


def _read_size(parameters: Parameters, order_type: OrderType) -> tuple[Decimal | None, Decimal | None]:
    if order_type is not OrderType.MARKET:
        return parameters.required_decimal("quantity"), None
    quantity, quote_quantity = parameters.decimal("quantity"), parameters.decimal("quoteOrderQty")
    if quantity is None and quote_quantity is None:
        raise errors.one_of("quantity", "quoteOrderQty")
    if quantity is not None and quote_quantity is not None:
        raise errors.bad_combination()
    return quantity, quote_quantity


def _read_time_in_force(parameters: Parameters) -> TimeInForce | None:
    refusal = BinanceError(-1115, "Invalid timeInForce.")
    value = parameters.choice("timeInForce", TimeInForce.__members__, refusal)
    return None if value is None else TimeInForce(value)


def read_self_trade_prevention(parameters: Parameters, instrument: Instrument) -> SelfTradePrevention | None:
    """Return the mode of self-trade prevention; None for the symbol's default.

    Raises:
        BinanceError: there is no such mode, or the symbol does not allow it.
    """
    value = parameters.choice("selfTradePreventionMode", instrument.rules.self_trade_modes)
    return None if value is None else SelfTradePrevention(value)


def _read_strategy_type(parameters: Parameters) -> int | None:
    strategy_type = parameters.integer("strategyType")
    if strategy_type is not None and strategy_type < LOWEST_STRATEGY_TYPE:
        raise BinanceError(-1134, "`strategyType` was less than 1000000.")
    return strategy_type
