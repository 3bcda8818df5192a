"""A new order list, from parameters to the venue's request: which orders a pair may have, and on which side of it.

Source: Binance's rest-api.md, "Order lists"; errors.md.
"""

from __future__ import annotations

from millrace_matching import OrderType, Side
from millrace_simulator.binance import errors
from millrace_simulator.binance.errors import BinanceError
from millrace_simulator.binance.operations.order_request import (
    LEG_TAKES,
    read_leg,
    read_self_trade_prevention,
    read_side,
    read_type,
)
from millrace_simulator.binance.parameters import CLIENT_ORDER_ID, Parameters, prefixed
from millrace_simulator.venue import Instrument, OrderRequest
from millrace_simulator.venue.order_lists import ListRequest

STOPS = frozenset({OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT})
PROFITS = frozenset({OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT})
WORKING_TYPES = frozenset({OrderType.LIMIT, OrderType.LIMIT_MAKER})


def _takes(*prefixes: str) -> tuple[str, ...]:
    return tuple(prefixed(prefix, name) for prefix in prefixes for name in LEG_TAKES)


_COMMON = ("listClientOrderId", "newOrderRespType", "selfTradePreventionMode")
OCO_NEEDS = ("symbol", "side", "quantity", "aboveType", "belowType")
OCO_TAKES = (*_COMMON, *_takes("above", "below"))
OLD_OCO_NEEDS = ("symbol", "side", "quantity", "price", "stopPrice")
OLD_OCO_TAKES = (
    *_COMMON,
    "limitClientOrderId",
    "limitStrategyId",
    "limitStrategyType",
    "limitIcebergQty",
    "trailingDelta",
    "stopClientOrderId",
    "stopStrategyId",
    "stopStrategyType",
    "stopLimitPrice",
    "stopIcebergQty",
    "stopLimitTimeInForce",
)
_WORKING_NEEDS = ("symbol", "workingType", "workingSide", "workingPrice", "workingQuantity")
OTO_NEEDS = (*_WORKING_NEEDS, "pendingType", "pendingSide", "pendingQuantity")
OTO_TAKES = (*_COMMON, *_takes("working", "pending"))
OTOCO_NEEDS = (*_WORKING_NEEDS, "pendingSide", "pendingQuantity", "pendingAboveType")
OTOCO_TAKES = (*_COMMON, *_takes("working", "pendingAbove", "pendingBelow"), "pendingBelowType")


def read_oco(parameters: Parameters, instrument: Instrument) -> ListRequest:
    """Return the pair that the parameters ask for.

    Raises:
        BinanceError: a field is missing, wrong, or not of this type of order; or the orders are no pair.
    """
    pair = _read_pair(parameters, instrument, parameters, ("above", "below"))
    return ListRequest(symbol=instrument.symbol, orders=pair, client_id=_read_list_id(parameters))


def read_old_oco(parameters: Parameters, instrument: Instrument) -> ListRequest:
    """Return the pair that the parameters of the older request ask for: a limit and a stop order.

    Raises:
        BinanceError: as `read_oco`.
    """
    above, below = ("stop", "limit") if read_side(parameters) is Side.BUY else ("limit", "stop")
    sent = parameters.values
    if ("stopLimitPrice" in sent) != ("stopLimitTimeInForce" in sent):
        missing = "stopLimitPrice" not in sent
        raise errors.not_required("stopLimitTimeInForce") if missing else errors.mandatory("stopLimitTimeInForce")
    stop_type = "STOP_LOSS_LIMIT" if "stopLimitPrice" in sent else "STOP_LOSS"
    former = {
        "limitType": "LIMIT_MAKER",
        "limitPrice": sent["price"],
        "stopType": stop_type,
        "stopStopPrice": sent["stopPrice"],
    }
    for now, then in (
        ("stopPrice", "stopLimitPrice"),
        ("stopTimeInForce", "stopLimitTimeInForce"),
        ("stopTrailingDelta", "trailingDelta"),
    ):
        former |= {now: sent[then]} if then in sent else {}
    others = {name: value for name, value in sent.items() if name not in {"price", "stopPrice", "trailingDelta"}}
    translated = Parameters({**others, **former})
    pair = _read_pair(translated, instrument, translated, (above, below))
    return ListRequest(symbol=instrument.symbol, orders=pair, client_id=_read_list_id(parameters))


def read_oto(parameters: Parameters, instrument: Instrument) -> ListRequest:
    """Return the two orders that the parameters ask for, of which one brings the other into the book.

    Raises:
        BinanceError: a field is missing, wrong, or not of this type of order.
    """
    pending = parameters.of("pending")
    side, quantity = read_side(pending), pending.required_decimal("quantity")
    order = read_leg(pending, instrument, side, quantity, read_self_trade_prevention(parameters, instrument))
    return ListRequest(
        symbol=instrument.symbol,
        working=_read_working(parameters, instrument),
        orders=(order,),
        client_id=_read_list_id(parameters),
    )


def read_otoco(parameters: Parameters, instrument: Instrument) -> ListRequest:
    """Return the three orders that the parameters ask for, of which one brings a pair into the book.

    Raises:
        BinanceError: as `read_oto`; or the two others are no pair.
    """
    if "pendingBelowType" not in parameters:
        raise errors.mandatory("pendingBelowType")
    pair = _read_pair(parameters, instrument, parameters.of("pending"), ("pendingAbove", "pendingBelow"))
    return ListRequest(
        symbol=instrument.symbol,
        working=_read_working(parameters, instrument),
        orders=pair,
        client_id=_read_list_id(parameters),
    )


def _read_working(parameters: Parameters, instrument: Instrument) -> OrderRequest:
    working = parameters.of("working")
    if read_type(working) not in WORKING_TYPES:
        raise errors.invalid_value("workingType")
    side, quantity = read_side(working), working.required_decimal("quantity")
    return read_leg(working, instrument, side, quantity, read_self_trade_prevention(parameters, instrument))


def _read_pair(
    parameters: Parameters, instrument: Instrument, shared: Parameters, prefixes: tuple[str, str]
) -> tuple[OrderRequest, ...]:
    """Return the orders above and below the price, the stop order first; side and quantity are theirs in common."""
    side, quantity = read_side(shared), shared.required_decimal("quantity")
    prevention = read_self_trade_prevention(parameters, instrument)
    above, below = (read_leg(parameters.of(prefix), instrument, side, quantity, prevention) for prefix in prefixes)
    _check_types(side, above.type, below.type)
    return (above, below) if above.type in STOPS else (below, above)


def _check_types(side: Side, above: OrderType, below: OrderType) -> None:
    """Check that one order of a pair takes a loss and the other a profit, each on its side of the price."""
    if not {above, below} <= STOPS | PROFITS | {OrderType.LIMIT_MAKER}:
        raise BinanceError(-1158, "Order type not supported in OCO.")
    if not {above, below} & (STOPS | PROFITS):
        raise BinanceError(-1168, "At least one OCO order must be contingent.")
    stop, profit = (above, below) if side is Side.BUY else (below, above)
    place, other = ("above", "below") if side is Side.BUY else ("below", "above")
    name = side.lower()
    if profit in STOPS:
        raise BinanceError(-1196 if side is Side.BUY else -1197, f"A stop loss order in a {name} OCO must be {place}.")
    if stop in PROFITS:
        code = -1198 if side is Side.BUY else -1199
        raise BinanceError(code, f"A take profit order in a {name} OCO must be {other}.")
    if stop is OrderType.LIMIT_MAKER:
        raise BinanceError(-1165 if side is Side.BUY else -1166, f"A limit order in a {name} OCO must be {other}.")


def _read_list_id(parameters: Parameters) -> str | None:
    return parameters.text("listClientOrderId", CLIENT_ORDER_ID)
