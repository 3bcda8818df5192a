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

_CHECKED = ("timeInForce", "price", "stopPrice", "quoteOrderQty")


def read_order(parameters: Parameters, instrument: Instrument) -> OrderRequest:
    """Return the order that the parameters ask for; the venue checks filters and balances.

    Raises:
        BinanceError: a field is missing, wrong, or not of this type of order.
    """
    side = _required_choice(parameters, "side", Side, BinanceError(-1117, "Invalid side."))
    order_type = _required_choice(parameters, "type", OrderType, BinanceError(-1116, "Invalid orderType."))
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
        self_trade_prevention=_read_self_trade_prevention(parameters, instrument),
        strategy_id=parameters.integer("strategyId"),
        strategy_type=_read_strategy_type(parameters),
    )


def _required_choice(parameters: Parameters, name: str, choices: type[Choice], refusal: BinanceError) -> Choice:
    value = parameters.required(name)
    if value not in choices.__members__:
        raise refusal
    return choices(value)


def _check_fields(parameters: Parameters, order_type: OrderType) -> None:
    if "trailingDelta" in parameters:
        raise errors.rejected("Trailing stop orders are not supported for this symbol.")
    if "icebergQty" in parameters:
        raise errors.rejected("Iceberg orders are not supported for this symbol.")
    if any(name in parameters for name in _PEG):
        raise errors.rejected("Pegged orders are not supported for this symbol.")
    mandatory = _MANDATORY[order_type]
    for name in mandatory:
        parameters.required(name)
    for name in _CHECKED:
        if name in parameters and name not in mandatory and not _is_quote_order(name, order_type):
            raise errors.not_required(name)


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


def _read_self_trade_prevention(parameters: Parameters, instrument: Instrument) -> SelfTradePrevention | None:
    value = parameters.choice("selfTradePreventionMode", instrument.rules.self_trade_modes)
    return None if value is None else SelfTradePrevention(value)


def _read_strategy_type(parameters: Parameters) -> int | None:
    strategy_type = parameters.integer("strategyType")
    if strategy_type is not None and strategy_type < LOWEST_STRATEGY_TYPE:
        raise BinanceError(-1134, "`strategyType` was less than 1000000.")
    return strategy_type
