"""Responses about orders, fills and commission in Binance's format."""

from __future__ import annotations

from typing import Any

from millrace_matching import Side
from millrace_simulator.venue import Account, Cancellation, Order, OwnTrade, Placement, decimal_text

_NO_COMMISSION = "0.00000000"
NO_LIST = -1
"""`orderListId` of an order that is in no order list; there are none here."""


def acknowledged(order: Order) -> dict[str, Any]:
    """Return the ACK response to a new order: only that it was accepted."""
    return {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": NO_LIST,
        "clientOrderId": order.client_order_id,
        "transactTime": order.updated_us // 1000,
    }


def result(order: Order) -> dict[str, Any]:
    """Return the RESULT response to a new order: its state."""
    return {
        **acknowledged(order),
        **_state(order),
        "workingTime": _milliseconds(order.working_us),
        "selfTradePreventionMode": order.self_trade_prevention,
    }


def full(placement: Placement) -> dict[str, Any]:
    """Return the FULL response to a new order: its state and each of its fills."""
    return {**result(placement.order), "fills": [_fill(trade) for trade in placement.trades]}


def canceled(cancellation: Cancellation) -> dict[str, Any]:
    """Return the response to a cancellation: `clientOrderId` is the cancel's, `origClientOrderId` the order's."""
    order = cancellation.order
    return {
        "symbol": order.symbol,
        "origClientOrderId": order.client_order_id,
        "orderId": order.order_id,
        "orderListId": NO_LIST,
        "clientOrderId": cancellation.cancel_client_order_id,
        "transactTime": order.updated_us // 1000,
        **_state(order),
        "selfTradePreventionMode": order.self_trade_prevention,
    }


def queried(order: Order) -> dict[str, Any]:
    """Return the response to an order query: every field is present, zero where it has no meaning."""
    return {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": NO_LIST,
        "clientOrderId": order.client_order_id,
        **_state(order),
        "stopPrice": "0.00000000" if order.stop_price is None else decimal_text(order.stop_price),
        "icebergQty": "0.00000000",
        "time": order.created_us // 1000,
        "updateTime": order.updated_us // 1000,
        "isWorking": order.is_working,
        "workingTime": _milliseconds(order.working_us),
        "selfTradePreventionMode": order.self_trade_prevention,
    }


def own_trade(trade: OwnTrade) -> dict[str, Any]:
    """Return one fill, in the response to a query of the account's trades."""
    return {
        "symbol": trade.symbol,
        "id": trade.trade_id,
        "orderId": trade.order_id,
        "orderListId": NO_LIST,
        "price": decimal_text(trade.price),
        "qty": decimal_text(trade.quantity),
        "quoteQty": decimal_text(trade.quote),
        "commission": decimal_text(trade.commission),
        "commissionAsset": trade.commission_asset,
        "time": trade.time_us // 1000,
        "isBuyer": trade.side is Side.BUY,
        "isMaker": trade.is_maker,
        "isBestMatch": True,
    }


def _state(order: Order) -> dict[str, Any]:
    state: dict[str, Any] = {
        "price": decimal_text(order.price),
        "origQty": decimal_text(order.quantity),
        "executedQty": decimal_text(order.filled),
        "origQuoteOrderQty": decimal_text(order.quote_quantity),
        "cummulativeQuoteQty": decimal_text(order.filled_quote),
        "status": order.status,
        "timeInForce": order.time_in_force,
        "type": order.type,
        "side": order.side,
    }
    # These fields appear only where they were sent (rest-api.md, "Conditional fields in Order Responses").
    if order.stop_price is not None:
        state["stopPrice"] = decimal_text(order.stop_price)
    if order.strategy_id is not None:
        state["strategyId"] = order.strategy_id
    if order.strategy_type is not None:
        state["strategyType"] = order.strategy_type
    return state


def _fill(trade: OwnTrade) -> dict[str, Any]:
    return {
        "price": decimal_text(trade.price),
        "qty": decimal_text(trade.quantity),
        "commission": decimal_text(trade.commission),
        "commissionAsset": trade.commission_asset,
        "tradeId": trade.trade_id,
    }


def _milliseconds(time_us: int) -> int:
    return time_us if time_us < 0 else time_us // 1000


def commission_rates(account: Account) -> dict[str, Any]:
    """Return an account's commission rates: maker and taker; no special rates, taxes or discounts."""
    return {
        "standardCommission": {
            "maker": decimal_text(account.maker_rate),
            "taker": decimal_text(account.taker_rate),
            "buyer": _NO_COMMISSION,
            "seller": _NO_COMMISSION,
        },
        "specialCommission": {
            "maker": _NO_COMMISSION,
            "taker": _NO_COMMISSION,
            "buyer": _NO_COMMISSION,
            "seller": _NO_COMMISSION,
        },
        "taxCommission": {
            "maker": _NO_COMMISSION,
            "taker": _NO_COMMISSION,
            "buyer": _NO_COMMISSION,
            "seller": _NO_COMMISSION,
        },
        "discount": {
            "enabledForAccount": False,
            "enabledForSymbol": False,
            "discountAsset": "BNB",
            "discount": _NO_COMMISSION,
        },
    }
