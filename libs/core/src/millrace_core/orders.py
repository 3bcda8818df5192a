"""Orders, and the join that makes one of what the executor, the stream and the poll each say of it.

See docs/protocol.md, "Orders". The three sides arrive in any order, some twice, so the join is commutative,
associative and idempotent: each group of fields is a value in an order of its own, and the join takes the
greatest of each. What that order prefers is what must never be undone: more filled over less, final over open.
"""

from decimal import Decimal
from typing import Any

import msgspec

FINAL_STATUSES = ("expired", "canceled", "rejected", "closed")
"""Statuses that an order never leaves, by rising precedence should two sides disagree."""


class OrderFee(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """What an order's fills have cost so far, in one currency."""

    currency: str | None = None
    cost: Decimal | None = None
    rate: Decimal | None = None


class Order(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """An order: ccxt's unified structure without `info`. Amounts are in base currency, `cost` in quote."""

    id: str
    symbol: str | None = None
    client_order_id: str | None = None
    timestamp: int | None = None
    """When it was created, ms."""
    datetime: str | None = None
    type: str | None = None
    side: str | None = None
    time_in_force: str | None = None
    post_only: bool | None = None
    reduce_only: bool | None = None
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    amount: Decimal | None = None
    status: str | None = None
    """`open`, or one of `FINAL_STATUSES`; None where the exchange did not say."""
    filled: Decimal | None = None
    remaining: Decimal | None = None
    average: Decimal | None = None
    cost: Decimal | None = None
    fees: list[OrderFee] = []
    last_trade_timestamp: int | None = None
    last_update_timestamp: int | None = None

    @property
    def is_final(self) -> bool:
        """Tell whether nothing more can happen to it."""
        return self.status in FINAL_STATUSES


class OrderRecord(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """An order as Redis holds it: what is known of it, and for whom it was placed."""

    order: Order
    exchange: str
    updated: int
    """When the newest of what was joined was learnt, ms."""
    order_source: str | None = None
    """Who wanted it: a strategy's name or a person's."""
    request_id: str | None = None


class OrdersDelta(msgspec.Struct, frozen=True):
    """Each order that changed, whole."""

    orders: list[Order]


class OrdersSnapshot(msgspec.Struct, frozen=True, rename="camel"):
    """The open orders."""

    orders: list[Order]
    as_of: str


_IDENTITY = ("symbol", "client_order_id", "timestamp", "datetime", "type", "side")
"""Never change after creation: what is known wins over what is not."""
_TERMS = ("amount", "price", "trigger_price", "time_in_force", "post_only", "reduce_only", "last_update_timestamp")
"""Change only when the order is edited: they stay together."""
_FILLS = ("filled", "cost", "average", "fees", "last_trade_timestamp")
"""What its fills have made of it: they stay together."""


def join(a: OrderRecord, b: OrderRecord) -> OrderRecord:
    """Return what is known of an order once both records are taken into account.

    Commutative, associative and idempotent. `filled` never falls, a final status never reopens, and neither
    `order_source` nor `request_id` is erased.

    Raises:
        ValueError: the records are of two different orders.
    """
    if a.order.id != b.order.id:
        raise ValueError(f"orders {a.order.id} and {b.order.id} are not the same order")
    return OrderRecord(
        order=_join_orders(a.order, b.order),
        exchange=max(a.exchange, b.exchange),
        updated=max(a.updated, b.updated),
        order_source=_known(a.order_source, b.order_source),
        request_id=_known(a.request_id, b.request_id),
    )


def _join_orders(a: Order, b: Order) -> Order:
    fields: dict[str, Any] = {name: _known(getattr(a, name), getattr(b, name)) for name in _IDENTITY}
    for group, rank in ((_TERMS, _terms_rank), (_FILLS, _fills_rank)):
        best = max(a, b, key=rank)
        fields.update({name: getattr(best, name) for name in group})
    fields["status"] = max(a.status, b.status, key=_status_rank)
    fields["remaining"] = _remaining(fields["amount"], fields["filled"], a, b)
    return Order(id=a.id, **fields)


def _known(a: Any, b: Any) -> Any:
    """Return the one that is known; of two that differ, the same one whichever comes first."""
    if a is None or b is None:
        return b if a is None else a
    return max(a, b)


def _status_rank(status: str | None) -> tuple[int, str]:
    if status in FINAL_STATUSES:
        return 2 + FINAL_STATUSES.index(status), status
    return (0, "") if status is None else (1, status)


def _terms_rank(order: Order) -> tuple[Any, ...]:
    # An acknowledgement without terms must not hide them by being newer: whole terms come first.
    return (
        order.amount is not None,
        order.last_update_timestamp or 0,
        *(_rank(getattr(order, name)) for name in _TERMS),
    )


def _fills_rank(order: Order) -> tuple[Any, ...]:
    return tuple(_rank(getattr(order, name)) for name in _FILLS)


def _rank(value: Any) -> tuple[Any, ...]:
    """Return a key under which unknown comes below known, and equal values are equal."""
    if value is None or value == []:
        return (False,)
    if isinstance(value, list):
        return (True, [tuple(_rank(part) for part in (fee.cost, fee.currency, fee.rate)) for fee in value])
    return (True, value)


def _remaining(amount: Decimal | None, filled: Decimal | None, a: Order, b: Order) -> Decimal | None:
    if amount is not None and filled is not None:
        return max(amount - filled, Decimal(0))
    # Filled only grows, so the smaller of two remainders is the later one.
    known = [order.remaining for order in (a, b) if order.remaining is not None]
    return min(known, default=None)
