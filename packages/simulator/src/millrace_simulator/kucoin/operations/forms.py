"""How orders and fills are shown."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from millrace_matching import OrderType, Side, TimeInForce
from millrace_simulator.kucoin.ids import order_id_text, user_id_text
from millrace_simulator.kucoin.numbers import ZERO, number_text
from millrace_simulator.kucoin.operations.order_request import PREVENTION_NAMES
from millrace_simulator.venue import Account, Order, OwnTrade

_RISING = {(Side.BUY, True), (Side.SELL, False)}
"""Whether a stop order waits for the price to rise: (side, whether it is a stop loss)."""


def is_waiting(order: Order) -> bool:
    """Tell whether an order is a stop order that was not triggered."""
    return order.stop_price is not None and not order.is_working


def kind(order: Order) -> str:
    """Return `market` or `limit`."""
    return "limit" if order.type.has_price else "market"


def stop_direction(order: Order) -> str:
    """Return which way the price must move: `loss` down, `entry` up."""
    is_stop_loss = order.type in (OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT)
    return "entry" if (order.side, is_stop_loss) in _RISING else "loss"


def size(order: Order) -> Decimal:
    """Return the quantity that sized the order; 0 when funds did."""
    return ZERO if order.quote_quantity else order.quantity


def funds(order: Order) -> Decimal:
    """Return the funds that sized the order, or that its quantity is worth at its price."""
    return order.quote_quantity or order.price * order.quantity


def remaining(order: Order) -> Decimal:
    """Return the quantity that may still trade."""
    return order.remaining if order.status.is_open else ZERO


def canceled_size(order: Order) -> Decimal:
    """Return the quantity that was given up."""
    return ZERO if order.status.is_open or order.quote_quantity else order.remaining


def is_canceled(order: Order) -> bool:
    """Tell whether the order ended before it was filled whole."""
    if order.quote_quantity and order.filled:
        return False
    return not order.status.is_open and order.remaining > 0


def high_frequency_order(order: Order, quote: str) -> dict[str, Any]:
    """Return an order as the high-frequency paths show it."""
    left = funds(order) - order.filled_quote
    open_ = order.status.is_open
    return {
        **_common(order, quote),
        "remainSize": number_text(remaining(order)),
        "remainFunds": number_text(max(left, ZERO) if open_ or not is_canceled(order) else ZERO),
        "cancelledSize": number_text(canceled_size(order)),
        "cancelledFunds": number_text(max(left, ZERO) if is_canceled(order) else ZERO),
        "inOrderBook": open_ and order.is_working,
        "active": open_,
        "lastUpdatedAt": order.updated_us // 1000,
    }


def classic_order(order: Order, quote: str) -> dict[str, Any]:
    """Return an order as the paths of other accounts show it."""
    stopped = order.stop_price is not None
    return {
        **_common(order, quote),
        "funds": number_text(order.quote_quantity),
        "stp": PREVENTION_NAMES.get(order.self_trade_prevention, ""),
        "stop": stop_direction(order) if stopped else "",
        "stopTriggered": stopped and order.is_working,
        "stopPrice": number_text(order.stop_price or ZERO),
        "isActive": order.status.is_open,
        "taxRate": "0",
        "taxCurrency": quote,
    }


def stop_order(order: Order, account: Account, quote: str) -> dict[str, Any]:
    """Return a stop order."""
    return {
        "id": order_id_text(order.symbol, order.order_id),
        "symbol": order.symbol,
        "userId": user_id_text(account.account_id),
        "status": "NEW" if is_waiting(order) else "TRIGGERED",
        "type": kind(order),
        "side": order.side.lower(),
        "price": number_text(order.price) if order.price else None,
        "size": number_text(order.quantity),
        "funds": None,
        **_handling(order),
        "orderTime": order.created_us * 1000,
        "domainId": "kucoin",
        "tradeSource": "USER",
        "tradeType": "TRADE",
        "feeCurrency": quote,
        "takerFeeRate": number_text(account.taker_rate),
        "makerFeeRate": number_text(account.maker_rate),
        "createdAt": order.created_us // 1000,
        "stop": stop_direction(order),
        "stopTriggerTime": order.working_us // 1000 if order.working_us > 0 else None,
        "stopPrice": number_text(order.stop_price or ZERO),
    }


def synchronous(order: Order) -> dict[str, Any]:
    """Return what became of an order at once, as the paths that wait for it show it."""
    return {
        "originSize": number_text(size(order)),
        "dealSize": number_text(order.filled),
        "remainSize": number_text(remaining(order)),
        "canceledSize": number_text(canceled_size(order)),
        "status": "open" if order.status.is_open else "done",
    }


def fill(trade: OwnTrade, order_type: str, counter_order_id: str) -> dict[str, Any]:
    """Return one fill, without the number by which pages of fills go on."""
    return {
        "symbol": trade.symbol,
        "tradeId": trade.trade_id,
        "orderId": order_id_text(trade.symbol, trade.order_id),
        "counterOrderId": counter_order_id,
        "side": trade.side.lower(),
        "liquidity": "maker" if trade.is_maker else "taker",
        "forceTaker": False,
        "price": number_text(trade.price),
        "size": number_text(trade.quantity),
        "funds": number_text(trade.quote),
        "fee": number_text(trade.commission),
        "feeRate": number_text(trade.rate),
        "feeCurrency": trade.commission_asset,
        "stop": "",
        "tradeType": "TRADE",
        "type": order_type,
        "taxRate": "0",
        "tax": "0",
        "createdAt": trade.time_us // 1000,
    }


def _common(order: Order, quote: str) -> dict[str, Any]:
    return {
        "id": order_id_text(order.symbol, order.order_id),
        "symbol": order.symbol,
        "opType": "DEAL",
        "type": kind(order),
        "side": order.side.lower(),
        "price": number_text(order.price),
        "size": number_text(size(order)),
        "funds": number_text(funds(order)),
        "dealSize": number_text(order.filled),
        "dealFunds": number_text(order.filled_quote),
        "fee": number_text(order.commission),
        "feeCurrency": quote,
        **_handling(order),
        "cancelExist": is_canceled(order),
        "tradeType": "TRADE",
        "tax": "0",
        "createdAt": order.created_us // 1000,
    }


def _handling(order: Order) -> dict[str, Any]:
    lifetime = order.lifetime_s
    in_force = "GTT" if lifetime is not None else order.time_in_force
    return {
        "stp": PREVENTION_NAMES.get(order.self_trade_prevention),
        "timeInForce": TimeInForce.GTC if order.type is OrderType.MARKET else in_force,
        "postOnly": order.type is OrderType.LIMIT_MAKER,
        "hidden": order.hidden,
        "iceberg": False,
        "visibleSize": "0",
        "cancelAfter": 0 if lifetime is None else lifetime,
        "channel": "API",
        "clientOid": order.client_order_id,
        "remark": order.remark,
        "tags": order.tags,
    }
