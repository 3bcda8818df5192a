"""Orders, and the join of what the executor, the exchange's stream and its polls each report about one.

See docs/protocol.md, "Orders". The three reports arrive in any order, some of them twice, so the join is commutative,
associative and idempotent: each group of fields has a ranking of its own, and the join takes the highest of each. The
rankings prefer what must never be undone: more filled over less, final over open.
"""

from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from millrace_core.decimals import is_usual

FINAL_STATUSES = ("expired", "canceled", "rejected", "closed")
"""Statuses that an order never leaves. If two reports disagree, the later in this list wins."""


class OrderKey(NamedTuple):
    """What tells an order from all others of a tenant.

    Each exchange numbers its own orders, and some, such as Binance, those of each symbol: an id alone names several.
    """

    exchange: str
    symbol: str
    id: str


class OrderFee(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """The fees of an order's fills so far, in one currency."""

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
    """`open`, or one of `FINAL_STATUSES`; None if the exchange did not say."""
    filled: Decimal | None = None
    remaining: Decimal | None = None
    average: Decimal | None = None
    cost: Decimal | None = None
    fees: list[OrderFee] = []
    last_trade_timestamp: int | None = None
    last_update_timestamp: int | None = None

    @property
    def is_final(self) -> bool:
        """Tell whether nothing can change it any more."""
        return self.status in FINAL_STATUSES


class OrderRecord(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """An order as Redis holds it: its known fields, and the source of its request."""

    order: Order
    exchange: str
    updated: int
    """When the newest of the joined reports arrived, ms."""
    order_source: str | None = None
    """The strategy or person that requested it."""
    request_id: str | None = None

    @property
    def key(self) -> OrderKey | None:
        """What identifies it; None while its symbol is not known."""
        return None if self.order.symbol is None else OrderKey(self.exchange, self.order.symbol, self.order.id)


class OrdersDelta(msgspec.Struct, frozen=True):
    """Each order that changed, whole."""

    orders: list[Order]


class OrdersSnapshot(msgspec.Struct, frozen=True, rename="camel"):
    """The open orders."""

    orders: list[Order]
    as_of: str


_KIND = ("symbol", "type", "side")
"""Fields that never change after creation: known values win over unknown ones."""
_CREATION = ("client_order_id", "timestamp", "datetime")
"""Our id and the time of creation, taken together from the report of the earliest time: Binance's answer to a cancel
has the cancel's own id and time in their place."""
_TERMS = ("amount", "price", "trigger_price", "time_in_force", "post_only", "reduce_only", "last_update_timestamp")
"""Fields that only an edit changes; they are taken together from one report."""
_DECIMALS = ("price", "trigger_price", "amount", "filled", "remaining", "average", "cost")
_FILLS = ("filled", "cost", "average", "fees", "last_trade_timestamp")
"""Fields that fills change; they are taken together from one report."""


def join(a: OrderRecord, b: OrderRecord) -> OrderRecord:
    """Return one record that joins what both say about an order.

    Commutative, associative and idempotent. `filled` never falls, a final status never reopens, and neither
    `order_source` nor `request_id` is erased. A number that is not finite counts as unknown.

    Raises:
        ValueError: the records are of two different orders.
    """
    if not _may_be_same(a, b):
        raise ValueError(f"{_named(a)} and {_named(b)} are not the same order")
    return OrderRecord(
        order=_join_orders(_finite(a.order), _finite(b.order)),
        exchange=a.exchange,
        updated=max(a.updated, b.updated),
        order_source=_known(a.order_source, b.order_source),
        request_id=_known(a.request_id, b.request_id),
    )


def _may_be_same(a: OrderRecord, b: OrderRecord) -> bool:
    symbols = {a.order.symbol, b.order.symbol} - {None}
    return (a.exchange, a.order.id) == (b.exchange, b.order.id) and len(symbols) <= 1


def _named(record: OrderRecord) -> str:
    return f"order {record.order.id} ({record.exchange} {record.order.symbol})"


def _join_orders(a: Order, b: Order) -> Order:
    fields: dict[str, Any] = {name: _known(getattr(a, name), getattr(b, name)) for name in _KIND}
    for group, rank in ((_CREATION, _creation_rank), (_TERMS, _terms_rank), (_FILLS, _fills_rank)):
        best = max(a, b, key=rank)
        fields.update({name: getattr(best, name) for name in group})
    fields["status"] = max(a.status, b.status, key=_status_rank)
    fields["remaining"] = _remaining(fields["amount"], fields["filled"], a, b)
    return Order(id=a.id, **fields)


def non_finite(order: Order) -> list[str]:
    """Return the names of an order's numbers that no exchange has: such an order is neither sent nor stored.

    They are NaN, infinite, or so large or small that they would fill the memory once written out.
    """
    fees = any(_is_not_finite(number) for fee in order.fees for number in (fee.cost, fee.rate))
    return [name for name in _DECIMALS if _is_not_finite(getattr(order, name))] + ["fees"] * fees


def _finite(order: Order) -> Order:
    """Return the order without NaN and infinities: they come from outside, and cannot be compared."""
    names = non_finite(order)
    if not names:
        return order
    changes: dict[str, Any] = dict.fromkeys(names)
    changes["fees"] = [
        OrderFee(
            currency=fee.currency,
            cost=None if _is_not_finite(fee.cost) else fee.cost,
            rate=None if _is_not_finite(fee.rate) else fee.rate,
        )
        for fee in order.fees
    ]
    return msgspec.structs.replace(order, **changes)


def _is_not_finite(value: Decimal | None) -> bool:
    return value is not None and not is_usual(value)


def _known(a: Any, b: Any) -> Any:
    """Return the one that is known; of two that differ, the greater, so that the order of arrival does not matter."""
    if a is None or b is None:
        return b if a is None else a
    return max(a, b)


def _status_rank(status: str | None) -> tuple[int, str]:
    return FINAL_STATUSES.index(status) if status in FINAL_STATUSES else -1, status or ""


def _creation_rank(order: Order) -> tuple[Any, ...]:
    return (
        order.client_order_id is not None,
        _rank(None if order.timestamp is None else -order.timestamp),
        _rank(order.client_order_id),
        _rank(order.datetime),
    )


def _terms_rank(order: Order) -> tuple[Any, ...]:
    # An acknowledgement without terms must not hide them by being newer: whole terms come first.
    return (
        order.amount is not None,
        _rank(order.last_update_timestamp),
        *(_rank(getattr(order, name)) for name in _TERMS),
    )


def _fills_rank(order: Order) -> tuple[Any, ...]:
    return tuple(_rank(getattr(order, name)) for name in _FILLS)


def _rank(value: Any) -> tuple[Any, ...]:
    """Return a sort key that ranks unknown below known, and no fees below some."""
    if isinstance(value, list):
        return tuple(tuple(_rank(part) for part in (fee.cost, fee.currency, fee.rate)) for fee in value)
    return () if value is None else (value,)


def _remaining(amount: Decimal | None, filled: Decimal | None, a: Order, b: Order) -> Decimal | None:
    if amount is not None and filled is not None:
        return max(amount - filled, Decimal(0))
    # Filled only grows, so the smaller of two remainders is the later one.
    known = [order.remaining for order in (a, b) if order.remaining is not None]
    return min(known, default=None)
