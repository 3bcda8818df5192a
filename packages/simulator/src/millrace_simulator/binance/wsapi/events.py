"""User data events in Binance's format: one function for each event, returning its JSON.

Field meanings: https://developers.binance.com/docs/binance-spot-api-docs/user-data-stream.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from millrace_simulator.binance.times import TimeUnit
from millrace_simulator.venue import BalanceChange, ExecutionReport, Order, OwnTrade, decimal_text
from millrace_simulator.venue.order_lists import OrderList

_encode = msgspec.json.Encoder().encode

_NO_GROUP = -1
_NO_TRADE = -1
_ZERO = "0.00000000"


def execution_report(report: ExecutionReport, unit: TimeUnit) -> bytes:
    """Return `executionReport`: something happened to an order. Every field that is not conditional is there."""
    order = report.order
    time = unit.of_us(report.time_us)
    return _encode(
        {
            "e": "executionReport",
            "E": time,
            "s": order.symbol,
            "c": report.client_order_id,
            "S": order.side,
            "o": order.type,
            "f": order.time_in_force,
            "q": decimal_text(order.quantity),
            "p": decimal_text(order.price),
            "P": decimal_text(order.stop_price or Decimal(0)),
            "F": _ZERO,
            "g": order.list_id,
            "C": report.original_client_order_id,
            "x": report.execution_type,
            "X": order.status,
            "r": report.reject_reason,
            "i": order.order_id,
            "z": decimal_text(order.filled),
            **_last_fill(report.trade),
            "T": time,
            "I": report.execution_id,
            "w": order.is_working and order.status.is_open,
            "O": unit.of_us(order.created_us),
            "Z": decimal_text(order.filled_quote),
            "Q": decimal_text(order.quote_quantity),
            "V": order.self_trade_prevention,
            **_conditional(order, unit),
            **_prevention(report),
        }
    )


def list_status(order_list: OrderList, unit: TimeUnit) -> bytes:
    """Return `listStatus`: an order list was placed, changed or is done."""
    time = unit.of_us(order_list.updated_us)
    return _encode(
        {
            "e": "listStatus",
            "E": time,
            "s": order_list.symbol,
            "g": order_list.list_id,
            "c": order_list.contingency,
            "l": order_list.status,
            "L": order_list.order_status,
            "r": "NONE",
            "C": order_list.client_id,
            "T": time,
            "O": [
                {"s": order_list.symbol, "i": order_id, "c": client_id}
                for order_id, client_id in zip(order_list.order_ids, order_list.client_order_ids, strict=True)
            ],
        }
    )


def account_position(change: BalanceChange, unit: TimeUnit) -> bytes:
    """Return `outboundAccountPosition`: the balances that changed, as they are now."""
    time = unit.of_us(change.time_us)
    return _encode(
        {
            "e": "outboundAccountPosition",
            "E": time,
            "u": time,
            "B": [
                {"a": balance.asset, "f": decimal_text(balance.free), "l": decimal_text(balance.locked)}
                for balance in change.balances
            ],
        }
    )


def balance_update(change: BalanceChange, asset: str, delta: Decimal, unit: TimeUnit) -> bytes:
    """Return `balanceUpdate`: a deposit, or with a negative delta a withdrawal."""
    time = unit.of_us(change.time_us)
    return _encode({"e": "balanceUpdate", "E": time, "a": asset, "d": decimal_text(delta), "T": time})


def stream_terminated(now_us: int, unit: TimeUnit) -> bytes:
    """Return `eventStreamTerminated`: the last event of a subscription."""
    return _encode({"e": "eventStreamTerminated", "E": unit.of_us(now_us)})


def addressed(subscription_id: int, event: bytes) -> bytes:
    """Return the message that carries an event to one subscription."""
    return b'{"subscriptionId":%d,"event":%b}' % (subscription_id, event)


def unaddressed(event: bytes) -> bytes:
    """Return the message that carries an event which belongs to no subscription."""
    return b'{"event":%b}' % event


def _last_fill(trade: OwnTrade | None) -> dict[str, Any]:
    if trade is None:
        return {"l": _ZERO, "L": _ZERO, "Y": _ZERO, "n": "0", "N": None, "t": _NO_TRADE, "m": False, "M": False}
    return {
        "l": decimal_text(trade.quantity),
        "L": decimal_text(trade.price),
        "Y": decimal_text(trade.quote),
        "n": decimal_text(trade.commission),
        "N": trade.commission_asset,
        "t": trade.trade_id,
        "m": trade.is_maker,
        "M": True,
    }


def _prevention(report: ExecutionReport) -> dict[str, Any]:
    """Return the fields of a match that self-trade prevention kept an order from."""
    match = report.prevented
    if match is None:
        return {}
    lost = match.lost_by(report.order.order_id)
    return {
        "v": match.match_id,
        "A": decimal_text(report.order.prevented),
        "B": decimal_text(lost),
        "u": _NO_GROUP,
        "U": match.other(report.order.order_id),
        "Cs": match.symbol,
        "pl": decimal_text(lost),
        "pL": decimal_text(match.price),
        "pY": decimal_text(match.price * lost),
    }


def _conditional(order: Order, unit: TimeUnit) -> dict[str, Any]:
    fields = {
        "W": unit.of_us(order.working_us) if order.working_us >= 0 else None,
        "j": order.strategy_id,
        "J": order.strategy_type,
        "eR": order.expiry,
    }
    return {name: value for name, value in fields.items() if value is not None}
