"""Binance's records of orders, read into the platform's own; one that has not the form or the identity proves nothing.

Source: rest-api.md, "New order" (FULL), "Cancel order"; web-socket-api.md, "Cancel order": of an order list the answer
is the list.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from millrace_core.clock import LATEST_MS
from millrace_core.decimals import is_usual
from millrace_core.orders import Order, OrderFee
from millrace_exchange.ccxt.checked_answer import Asked
from millrace_exchange.ccxt.conversion import plain
from millrace_exchange.ccxt.recording.shortcuts import Shortcuts
from millrace_exchange.order_ids import is_same_id

_STATUSES: Final[Mapping[str, str]] = {
    "NEW": "open",
    "PARTIALLY_FILLED": "open",
    "FILLED": "closed",
    "CANCELED": "canceled",
    "REJECTED": "rejected",
    "EXPIRED": "expired",
    "EXPIRED_IN_MATCH": "expired",
}
"""Any other says nothing: it would outrank `open` whenever two reports are joined."""
_AT_MARKET: Final = frozenset({"MARKET", "STOP_LOSS", "TAKE_PROFIT"})
_SIDES: Final = frozenset({"BUY", "SELL"})
_ZERO: Final = Decimal(0)


class _Fill(msgspec.Struct, frozen=True, rename={"fee": "commission", "currency": "commissionAsset"}):
    fee: Decimal
    currency: str


class OrderRecord(
    msgspec.Struct,
    frozen=True,
    rename={
        "id": "orderId",
        "our_id": "clientOrderId",
        "canceled_id": "origClientOrderId",
        "amount": "origQty",
        "filled": "executedQty",
        "cost": "cummulativeQuoteQty",
        "time_in_force": "timeInForce",
        "trigger_price": "stopPrice",
        "working_time": "workingTime",
        "transact_time": "transactTime",
        "update_time": "updateTime",
    },
):
    """An order, as the answer to a request for it has it."""

    symbol: str
    id: int
    our_id: str
    status: str
    type: str
    side: str
    price: Decimal
    amount: Decimal
    filled: Decimal
    cost: Decimal
    time_in_force: str
    canceled_id: str | None = None
    """The order's own, where `our_id` is that of its cancel."""
    trigger_price: Decimal = _ZERO
    time: int | None = None
    working_time: int | None = None
    """-1 while it waits for its trigger."""
    transact_time: int | None = None
    update_time: int | None = None
    fills: list[_Fill] = []


def read_change(
    content: Any, market: Mapping[str, Any], asked: Asked, currency_code: Callable[[str], str]
) -> tuple[Order, tuple[Order, ...]]:
    """Return the order in an answer, and those that were canceled with it, as all orders of a list are.

    Raises:
        msgspec.ValidationError: it is no order, or another one.
    """
    reports = content.get("orderReports") if isinstance(content, dict) else None
    records = reports if isinstance(reports, list) else [content]
    own = next((record for record in records if isinstance(reports, list) and _names(record, asked)), content)
    others = [read(record, market, Asked(), currency_code) for record in records if record is not own]
    return read(own, market, asked, currency_code), tuple(others)


def read(content: Any, market: Mapping[str, Any], asked: Asked, currency_code: Callable[[str], str]) -> Order:
    """Return the order in an answer.

    Raises:
        msgspec.ValidationError: it is no order, or another one.
    """
    record = msgspec.convert(content, OrderRecord)
    if not all(map(is_usual, (record.price, record.trigger_price, record.amount, record.filled, record.cost))):
        raise msgspec.ValidationError("its numbers are none")
    if record.side not in _SIDES or not record.status or record.id <= 0:
        raise msgspec.ValidationError("it has no id, no side, or no status")
    if min(record.price, record.amount, record.filled) < 0 or record.filled > (record.amount or record.filled):
        raise msgspec.ValidationError(f"it cannot be: {record.filled:f} of {record.amount:f} are filled")
    _check(record, market, asked)
    return _order(record, str(market["symbol"]), currency_code)


def _names(record: Any, asked: Asked) -> bool:
    if not isinstance(record, dict):
        return False
    if asked.order_id is not None:
        return is_same_id(str(record.get("orderId")), asked.order_id)
    return record.get("origClientOrderId") == asked.client_order_id


def _check(record: OrderRecord, market: Mapping[str, Any], asked: Asked) -> None:
    ours = record.canceled_id or record.our_id
    if asked.order_id is not None and not is_same_id(str(record.id), asked.order_id):
        raise msgspec.ValidationError(f"it is about another order: its id is {record.id}, not {asked.order_id}")
    for name, wanted, found in (
        ("symbol", market["id"], record.symbol),
        ("side", asked.side, record.side.lower()),
        ("client order id", asked.client_order_id, ours),
        ("type", asked.type, "market" if record.type in _AT_MARKET else "limit"),
        ("amount", asked.amount, record.amount),
        ("price", asked.price, record.price),
    ):
        if wanted is not None and found != wanted:
            raise msgspec.ValidationError(f"it is about another order: its {name} is {found}, not {wanted}")


def _order(record: OrderRecord, symbol: str, currency_code: Callable[[str], str]) -> Order:
    status, filled = _STATUSES.get(record.status), record.filled
    is_closed, is_at_market = status == "closed", record.type in _AT_MARKET
    amount = record.amount or (filled if is_closed else None)
    average = plain(Decimal(repr(float(record.cost / filled)))) if filled else None
    created = _first(record.time, record.working_time, record.transact_time, record.update_time)
    traded = is_closed or (status == "open" and filled > 0)
    return Order(
        id=str(record.id),
        symbol=symbol,
        client_order_id=record.canceled_id or record.our_id,
        timestamp=created,
        datetime=None if created is None else Shortcuts.iso8601(created),
        type="market" if is_at_market else "limit",
        side=record.side.lower(),
        time_in_force=record.time_in_force,
        post_only=record.type == "LIMIT_MAKER",
        price=plain(record.price) if record.price else average if is_at_market else None,
        trigger_price=plain(record.trigger_price) if record.trigger_price else None,
        amount=None if amount is None else plain(amount),
        status=status,
        filled=plain(filled),
        remaining=None if amount is None else plain(amount - filled),
        average=average,
        cost=plain(record.cost),
        fees=_fees(record.fills, currency_code),
        last_trade_timestamp=_first(record.update_time, record.transact_time) if traded else None,
        last_update_timestamp=_first(record.transact_time, record.update_time),
    )


def _fees(fills: list[_Fill], currency_code: Callable[[str], str]) -> list[OrderFee]:
    sums: dict[str, Decimal] = {}
    for fill in fills:
        sums[fill.currency] = sums.get(fill.currency, _ZERO) + fill.fee
    return [OrderFee(currency_code(currency), plain(cost)) for currency, cost in sums.items()]


def _first(*times: int | None) -> int | None:
    return next((time for time in times if time is not None and 0 <= time <= LATEST_MS), None)
