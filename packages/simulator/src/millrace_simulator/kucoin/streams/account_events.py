"""Messages of an account's own topics: one function for each, returning its JSON."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from millrace_simulator.kucoin.ids import asset_account_id, order_id_text, user_id_text
from millrace_simulator.kucoin.numbers import number_text
from millrace_simulator.kucoin.operations import forms
from millrace_simulator.kucoin.streams import topics
from millrace_simulator.venue import Balance, Order, OwnTrade

_encode = msgspec.json.Encoder().encode


def order_received(topic: str, order: Order, time_us: int) -> bytes:
    """Return that an order has come in, before it meets any other."""
    return _order(topic, order, time_us, "received", "new")


def order_open(topic: str, order: Order, time_us: int) -> bytes:
    """Return that an order rests in the book."""
    return _order(topic, order, time_us, "open", "open")


def order_match(topic: str, order: Order, trade: OwnTrade) -> bytes:
    """Return a fill of an order."""
    status = "open" if trade.is_maker else "match"
    role = "maker" if trade.is_maker else "taker"
    return _order(
        topic,
        order,
        trade.time_us,
        "match",
        status,
        feeType=f"{role}Fee",
        liquidity=role,
        matchPrice=number_text(trade.price),
        matchSize=number_text(trade.quantity),
        tradeId=str(trade.trade_id),
    )


def order_done(topic: str, order: Order, time_us: int) -> bytes:
    """Return that an order has ended: filled, or canceled."""
    return _order(topic, order, time_us, "canceled" if forms.is_canceled(order) else "filled", "done")


def stop_order(order: Order, time_us: int, event: str, **more: Any) -> bytes:
    """Return what happened to a stop order: `open`, `TRIGGERED` or `cancel`."""
    data = {
        "createdAt": order.created_us // 1000,
        "orderId": order_id_text(order.symbol, order.order_id),
        "orderPrice": number_text(order.price),
        "orderType": "stop",
        "side": order.side.lower(),
        "size": number_text(order.quantity),
        "stop": forms.stop_direction(order),
        "stopPrice": number_text(order.stop_price or Decimal(0)),
        "symbol": order.symbol,
        "tradeType": "TRADE",
        "ts": time_us * 1000,
        "type": event,
        **more,
    }
    return _private(topics.STOP_ORDERS, "stopOrder", order.account_id, data)


def balance(account_id: int, before: Balance, now: Balance, time_us: int, cause: Order | None, number: int) -> bytes:
    """Return a changed balance; `cause` is the order that changed it, None for a deposit."""
    hold_change = now.locked - before.locked
    event = "trade.transfer" if cause is None else "trade.hold" if hold_change > 0 else "trade.setted"
    context = {}
    if cause is not None:
        context = {"symbol": cause.symbol, "orderId": order_id_text(cause.symbol, cause.order_id)}
    data = {
        "accountId": asset_account_id(account_id, now.asset),
        "currency": now.asset,
        "total": number_text(now.free + now.locked),
        "available": number_text(now.free),
        "hold": number_text(now.locked),
        "availableChange": number_text(now.free - before.free),
        "holdChange": number_text(hold_change),
        "relationContext": context,
        "relationEvent": event,
        "relationEventId": str(number),
        "time": str(time_us // 1000),
    }
    return _private(topics.BALANCE, "account.balance", account_id, data, id=str(number))


def _order(topic: str, order: Order, time_us: int, event: str, status: str, **more: Any) -> bytes:
    data = {
        "clientOid": order.client_order_id,
        "orderId": order_id_text(order.symbol, order.order_id),
        "orderTime": order.created_us // 1000,
        "orderType": forms.kind(order),
        **_sizes(order),
        "side": order.side.lower(),
        "status": status,
        "symbol": order.symbol,
        "ts": time_us * 1000,
        "type": event,
        **more,
    }
    if order.price:
        data["price"] = number_text(order.price)
    return _private(topic, "orderChange", order.account_id, data)


def _sizes(order: Order) -> dict[str, Any]:
    if order.quote_quantity:
        left = order.quote_quantity - order.filled_quote
        return {
            "originFunds": number_text(order.quote_quantity),
            "filledSize": number_text(order.filled),
            "remainFunds": number_text(left if order.status.is_open else Decimal(0)),
            "canceledFunds": number_text(Decimal(0) if order.status.is_open else left),
        }
    size = number_text(order.quantity)
    return {
        "originSize": size,
        "size": size,
        "filledSize": number_text(order.filled),
        "remainSize": number_text(forms.remaining(order)),
        "canceledSize": number_text(forms.canceled_size(order)),
    }


def _private(topic: str, subject: str, account_id: int, data: dict[str, Any], **more: Any) -> bytes:
    head = {"topic": topic, "type": "message", "subject": subject, "userId": user_id_text(account_id)}
    return _encode({**head, "channelType": "private", **more, "data": data})
