"""Responses about orders, fills and commission in Binance's format."""

from __future__ import annotations

from typing import Any

from millrace_matching import Side
from millrace_simulator.binance.times import Time
from millrace_simulator.venue import Account, Cancellation, Order, OwnTrade, Placement, decimal_text
from millrace_simulator.venue.order_changes import Amendment, PreventedMatch

NEVER = -1
NO_GROUP = -1
"""`tradeGroupId` of an account in no trade group; there are none here."""
_NO_COMMISSION = "0.00000000"


def acknowledged(order: Order) -> dict[str, Any]:
    """Return the ACK response to a new order: only that it was accepted."""
    return {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": order.list_id,
        "clientOrderId": order.client_order_id,
        "transactTime": Time(order.updated_us),
    }


def result(order: Order) -> dict[str, Any]:
    """Return the RESULT response to a new order: its state."""
    return {
        **acknowledged(order),
        **_state(order),
        "workingTime": _working_time(order),
        "selfTradePreventionMode": order.self_trade_prevention,
    }


def placed(placement: Placement, response_type: str) -> dict[str, Any]:
    """Return a new order in the form asked for."""
    if response_type == "ACK":
        return acknowledged(placement.order)
    return result(placement.order) if response_type == "RESULT" else full(placement)


def full(placement: Placement) -> dict[str, Any]:
    """Return the FULL response to a new order: its state and each of its fills."""
    shown = {**result(placement.order), "fills": [_fill(trade) for trade in placement.trades]}
    if placement.prevented:
        shown["preventedMatches"] = [_prevented(match) for match in placement.prevented]
    return shown


def canceled(cancellation: Cancellation) -> dict[str, Any]:
    """Return the response to a cancellation: `clientOrderId` is the cancel's, `origClientOrderId` the order's."""
    order = cancellation.order
    return {
        "symbol": order.symbol,
        "origClientOrderId": order.client_order_id,
        "orderId": order.order_id,
        "orderListId": order.list_id,
        "clientOrderId": cancellation.cancel_client_order_id,
        "transactTime": Time(order.updated_us),
        **_state(order),
        "selfTradePreventionMode": order.self_trade_prevention,
    }


def queried(order: Order) -> dict[str, Any]:
    """Return the response to an order query: every field is present, zero where it has no meaning."""
    return {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": order.list_id,
        "clientOrderId": order.client_order_id,
        **_state(order),
        "stopPrice": "0.00000000" if order.stop_price is None else decimal_text(order.stop_price),
        "icebergQty": "0.00000000",
        "time": Time(order.created_us),
        "updateTime": Time(order.updated_us),
        "isWorking": order.is_working,
        "workingTime": _working_time(order),
        "selfTradePreventionMode": order.self_trade_prevention,
    }


def own_trade(trade: OwnTrade) -> dict[str, Any]:
    """Return one fill, in the response to a query of the account's trades."""
    return {
        "symbol": trade.symbol,
        "id": trade.trade_id,
        "orderId": trade.order_id,
        "orderListId": trade.list_id,
        "price": decimal_text(trade.price),
        "qty": decimal_text(trade.quantity),
        "quoteQty": decimal_text(trade.quote),
        "commission": decimal_text(trade.commission),
        "commissionAsset": trade.commission_asset,
        "time": Time(trade.time_us),
        "isBuyer": trade.side is Side.BUY,
        "isMaker": trade.is_maker,
        "isBestMatch": True,
    }


def _state(order: Order) -> dict[str, Any]:
    return {
        "price": decimal_text(order.price),
        "origQty": decimal_text(order.quantity),
        "executedQty": decimal_text(order.filled),
        "origQuoteOrderQty": decimal_text(order.quote_quantity),
        "cummulativeQuoteQty": decimal_text(order.filled_quote),
        "status": order.status,
        "timeInForce": order.time_in_force,
        "type": order.type,
        "side": order.side,
        **_conditional(order),
    }


def _conditional(order: Order) -> dict[str, Any]:
    """Return the fields that have a meaning for few orders (rest-api.md, "Conditional fields in Order Responses")."""
    prevented = order.prevented_match_id is not None
    fields = {
        "stopPrice": None if order.stop_price is None else decimal_text(order.stop_price),
        "strategyId": order.strategy_id,
        "strategyType": order.strategy_type,
        "preventedMatchId": order.prevented_match_id,
        "preventedQuantity": decimal_text(order.prevented) if prevented else None,
        "expiryReason": order.expiry,
    }
    return {name: value for name, value in fields.items() if value is not None}


def prevented_match(match: PreventedMatch) -> dict[str, Any]:
    """Return a prevented match, in the response to a query."""
    return {
        "symbol": match.symbol,
        "preventedMatchId": match.match_id,
        "takerOrderId": match.taker_order_id,
        "makerSymbol": match.symbol,
        "makerOrderId": match.maker_order_id,
        "tradeGroupId": NO_GROUP,
        "selfTradePreventionMode": match.mode,
        "price": decimal_text(match.price),
        **_lost(match),
        "transactTime": Time(match.time_us),
    }


def amended(order: Order, former_client_order_id: str) -> dict[str, Any]:
    """Return an order that was just amended."""
    shown: dict[str, Any] = {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": order.list_id,
        "origClientOrderId": former_client_order_id,
        "clientOrderId": order.client_order_id,
        "price": decimal_text(order.price),
        "qty": decimal_text(order.quantity),
        "executedQty": decimal_text(order.filled),
        "preventedQty": decimal_text(order.prevented),
        "quoteOrderQty": decimal_text(order.quote_quantity),
        "cumulativeQuoteQty": decimal_text(order.filled_quote),
        "status": order.status,
        "timeInForce": order.time_in_force,
        "type": order.type,
        "side": order.side,
        **_conditional(order),
    }
    if order.working_us != NEVER:
        shown["workingTime"] = Time(order.working_us)
    return {**shown, "selfTradePreventionMode": order.self_trade_prevention}


def amendment(change: Amendment) -> dict[str, Any]:
    """Return one amendment of an order, in the response to a query."""
    return {
        "symbol": change.symbol,
        "orderId": change.order_id,
        "executionId": change.execution_id,
        "origClientOrderId": change.former_client_order_id,
        "newClientOrderId": change.client_order_id,
        "origQty": decimal_text(change.former_quantity),
        "newQty": decimal_text(change.quantity),
        "time": Time(change.time_us),
    }


def _prevented(match: PreventedMatch) -> dict[str, Any]:
    return {
        "preventedMatchId": match.match_id,
        "makerSymbol": match.symbol,
        "makerOrderId": match.maker_order_id,
        "price": decimal_text(match.price),
        **_lost(match),
    }


def _lost(match: PreventedMatch) -> dict[str, Any]:
    """Return what a match took from each of its orders, where it took anything."""
    lost = {"takerPreventedQuantity": match.taker_quantity, "makerPreventedQuantity": match.maker_quantity}
    return {name: decimal_text(quantity) for name, quantity in lost.items() if quantity}


def _fill(trade: OwnTrade) -> dict[str, Any]:
    return {
        "price": decimal_text(trade.price),
        "qty": decimal_text(trade.quantity),
        "commission": decimal_text(trade.commission),
        "commissionAsset": trade.commission_asset,
        "tradeId": trade.trade_id,
    }


def _working_time(order: Order) -> Time | int:
    return NEVER if order.working_us == NEVER else Time(order.working_us)


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
