"""The orders of one strategy, joined from all reports about them. Pure.

An account's streams report the orders of all sources. An order is ours if its record names us as its source, or if one
of our requests made it; while neither is known, it is set aside as undecided. An edit makes no order ours: one that
takes the place of another belongs to the source of that.
"""

from collections.abc import Collection, Iterator
from decimal import Decimal
from typing import TypeVar

import msgspec

from millrace_core.instrument import Instrument
from millrace_core.orders import Order, OrderKey, OrderRecord, join
from millrace_core.requests import CreateOrder, EditOrder, OrderRequest

KEPT_FINAL = 10_000
KEPT_UNDECIDED = 1_000
KEPT_FOREIGN = 10_000

T = TypeVar("T")


class StrategyOrder(Order, frozen=True, omit_defaults=True, rename="camel", kw_only=True):
    """One of the strategy's own orders, as it was at one moment."""

    exchange: str
    symbol: str
    request_id: str | None = None
    """The request that made it; None if that is not known."""

    @property
    def key(self) -> OrderKey:
        """What identifies it, now and later."""
        return OrderKey(self.exchange, self.symbol, self.id)

    @property
    def base_fees(self) -> Decimal:
        """Fees in base currency so far, as the order's reports tell: so much less is held than it has filled.

        0 for contracts, and where the exchange charges another currency or reports fees with own trades alone.
        """
        instrument = Instrument.of(self.symbol)
        kept = (
            fee.cost
            for fee in self.fees
            if fee.cost is not None and fee.currency is not None and instrument.takes_from_quantity(fee.currency)
        )
        return sum(kept, Decimal(0))


OrderReference = StrategyOrder | OrderKey | tuple[str, str, str]
"""An order, in any of its states, or its exchange, symbol and id."""


def key_of(reference: OrderReference) -> OrderKey:
    """Return what identifies an order.

    Raises:
        TypeError: it is a bare id, which may name several orders, or something else.
    """
    if isinstance(reference, StrategyOrder):
        return reference.key
    if isinstance(reference, tuple) and len(reference) == 3:
        return OrderKey(*reference)
    raise TypeError(f"an order is named by the order itself, or by (exchange, symbol, id), not by {reference!r}")


class OrderView(Collection[StrategyOrder]):
    """Some of the strategy's orders, live, oldest known first. Look one up by the order, or by (exchange, symbol, id).

    What is looked up is the newest state of the order. A bare id raises `TypeError`.
    """

    def __init__(self, orders: dict[OrderKey, StrategyOrder]) -> None:
        self._orders = orders

    def __contains__(self, reference: object) -> bool:
        return key_of(reference) in self._orders  # type: ignore[arg-type]  # it raises for what is no reference

    def __iter__(self) -> Iterator[StrategyOrder]:
        return iter(list(self._orders.values()))

    def __len__(self) -> int:
        return len(self._orders)

    def __getitem__(self, reference: OrderReference) -> StrategyOrder:
        return self._orders[key_of(reference)]

    def get(self, reference: OrderReference) -> StrategyOrder | None:
        """Return an order, or None if it is not among these."""
        return self._orders.get(key_of(reference))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self)} orders>"


class OrderChange(msgspec.Struct, frozen=True):
    """One of the strategy's orders is new, or changed."""

    order: StrategyOrder
    previous: StrategyOrder | None


class StrategyOrders(OrderView):
    """The strategy's own orders: all open ones and the newest 10,000 final ones.

    They are live: a fill shows here as soon as this process has read it, even while a slow hook runs.
    """

    def __init__(self, source: str) -> None:
        super().__init__({})
        self._source = source
        self._records: dict[OrderKey, OrderRecord] = {}
        self._open: dict[OrderKey, StrategyOrder] = {}
        self._final: dict[OrderKey, None] = {}
        self._by_request: dict[str, OrderKey] = {}
        self._undecided: dict[OrderKey, OrderRecord] = {}
        self._foreign: dict[OrderKey, None] = {}
        self._requests: set[str] = set()
        self.open = OrderView(self._open)
        """The open ones."""

    def of_request(self, request_id: str) -> StrategyOrder | None:
        """Return the order that a request made, or None if it is not known (yet)."""
        key = self._by_request.get(request_id)
        return None if key is None else self._orders[key]

    def expect(self, request: OrderRequest) -> None:
        """Count what a request of ours makes as ours, of an edit if it changes an order of ours. For hosts only."""
        if isinstance(request, CreateOrder) or (isinstance(request, EditOrder) and self._is_of_ours(request)):
            self._requests.add(request.request_id or "")

    def expects(self, request_id: str) -> bool:
        """Tell whether the order that a request makes is ours. For hosts only, like the methods below."""
        return request_id in self._requests

    def forget_request(self, request_id: str) -> None:
        """Forget an answered request: its order is known by its key from now on."""
        self._requests.discard(request_id)

    def learn(self, record: OrderRecord) -> OrderChange | None:
        """Join a report about an order; return the change if the order is ours and the report says something new.

        A report that names no symbol says nothing: it may be about several orders.
        """
        if (key := record.key) is None:
            return None
        known = self._records.get(key)
        if known is not None:
            return self._keep(key, join(known, record))
        if (waiting := self._undecided.pop(key, None)) is not None:
            record = join(waiting, record)
        if self._is_ours(record):
            return self._keep(key, record)
        self._set_aside(key, record)
        return None

    def is_undecided(self, key: OrderKey) -> bool:
        """Tell whether the source of this order is not known yet."""
        return key in self._undecided

    def is_foreign(self, key: OrderKey) -> bool:
        """Tell whether this order is known to be another source's."""
        return key in self._foreign

    def _is_of_ours(self, edit: EditOrder) -> bool:
        named = edit.payload
        return OrderKey(edit.exchange_id or "", named.symbol, named.order_id or "") in self._orders

    def _is_ours(self, record: OrderRecord) -> bool:
        if record.order_source is not None:
            return record.order_source == self._source
        # Where the exchange allows it, the client order id is the request id itself.
        return record.request_id in self._requests or record.order.client_order_id in self._requests

    def _set_aside(self, key: OrderKey, record: OrderRecord) -> None:
        if record.order_source is not None:
            _put(self._foreign, key, None, limit=KEPT_FOREIGN)
        elif key not in self._foreign:
            _put(self._undecided, key, record, limit=KEPT_UNDECIDED)

    def _keep(self, key: OrderKey, record: OrderRecord) -> OrderChange | None:
        known, previous = self._records.get(key), self._orders.get(key)
        if known is not None and (known.order, known.request_id) == (record.order, record.request_id):
            return None
        self._records[key] = record
        order = self._orders[key] = _strategy_order(key, record)
        if record.request_id is not None:
            self._by_request[record.request_id] = key
        if order.is_final:
            self._open.pop(key, None)
            self._final[key] = None
            self._forget_oldest()
        else:
            self._open[key] = order
        return None if known is not None and known.order == record.order else OrderChange(order, previous)

    def _forget_oldest(self) -> None:
        while len(self._final) > KEPT_FINAL:
            key = next(iter(self._final))
            del self._final[key], self._orders[key]
            request_id = self._records.pop(key).request_id
            if request_id is not None and self._by_request.get(request_id) == key:
                del self._by_request[request_id]


def _strategy_order(key: OrderKey, record: OrderRecord) -> StrategyOrder:
    order = record.order
    fields = {name: getattr(order, name) for name in Order.__struct_fields__}
    return StrategyOrder(**{**fields, "symbol": key.symbol, "exchange": key.exchange, "request_id": record.request_id})


def _put(kept: dict[OrderKey, T], key: OrderKey, value: T, *, limit: int) -> None:
    """Keep a value; beyond the limit the oldest is dropped."""
    kept[key] = value
    if len(kept) > limit:
        del kept[next(iter(kept))]
