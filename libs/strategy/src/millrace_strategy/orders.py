"""The orders of one strategy, joined from all reports about them. Pure.

An account's streams report the orders of all sources. An order is ours if its record names us as its source, or if it
answers one of our requests; while neither is known, it is set aside as undecided.
"""

from collections.abc import Iterator, Mapping

import msgspec

from millrace_core.orders import Order, OrderRecord, join

KEPT_FINAL = 10_000
KEPT_UNDECIDED = 1_000
KEPT_FOREIGN = 10_000


class OrderChange(msgspec.Struct, frozen=True):
    """One of the strategy's orders is new, or changed."""

    record: OrderRecord
    previous: Order | None


class Orders(Mapping[str, Order]):
    """The strategy's own orders by id, oldest known first: all open ones and the newest 10,000 final ones.

    They are live: a fill shows here as soon as this process has read it, even while a slow hook runs.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._records: dict[str, OrderRecord] = {}
        self._open: dict[str, None] = {}
        self._final: dict[str, None] = {}
        self._by_request: dict[str, str] = {}
        self._undecided: dict[str, OrderRecord] = {}
        self._foreign: dict[str, None] = {}
        self._requests: set[str] = set()

    def __getitem__(self, order_id: str) -> Order:
        return self._records[order_id].order

    def __iter__(self) -> Iterator[str]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)

    @property
    def open_ids(self) -> list[str]:
        """Return the ids of the open ones, oldest known first."""
        return list(self._open)

    @property
    def open(self) -> list[Order]:
        """Return the open ones, oldest known first."""
        return [self._records[order_id].order for order_id in self._open]

    def record(self, order_id: str) -> OrderRecord:
        """Return an order with its exchange and request.

        Raises:
            KeyError: it is not known, or not the strategy's.
        """
        return self._records[order_id]

    def of_request(self, request_id: str) -> Order | None:
        """Return the order that a request made, or None if it is not known (yet)."""
        order_id = self._by_request.get(request_id)
        return None if order_id is None else self._records[order_id].order

    def expect(self, request_id: str) -> None:
        """Count orders of this request as ours. For hosts only, like the methods below."""
        self._requests.add(request_id)

    def settle(self, request_id: str) -> None:
        """Forget an answered request: its order is known by its id from now on."""
        self._requests.discard(request_id)

    def learn(self, record: OrderRecord) -> OrderChange | None:
        """Join a report about an order; return the change if the order is ours and the report says something new."""
        order_id = record.order.id
        known = self._records.get(order_id)
        if known is None:
            if (waiting := self._undecided.pop(order_id, None)) is not None:
                record = join(waiting, record)
            if not self._is_ours(record):
                self._set_aside(record)
                return None
            return self._keep(record, None)
        joined = join(known, record)
        return None if joined.order == known.order else self._keep(joined, known.order)

    def is_undecided(self, order_id: str) -> bool:
        """Tell whether the source of this order is not known yet."""
        return order_id in self._undecided

    def _is_ours(self, record: OrderRecord) -> bool:
        if record.order_source is not None:
            return record.order_source == self._source
        # Where the exchange allows it, the client order id is the request id itself.
        return record.request_id in self._requests or record.order.client_order_id in self._requests

    def _set_aside(self, record: OrderRecord) -> None:
        order_id = record.order.id
        if record.order_source is not None:
            self._foreign[order_id] = None
        elif order_id not in self._foreign:
            self._undecided[order_id] = record
        for kept, limit in ((self._foreign, KEPT_FOREIGN), (self._undecided, KEPT_UNDECIDED)):
            if len(kept) > limit:
                del kept[next(iter(kept))]

    def _keep(self, record: OrderRecord, previous: Order | None) -> OrderChange:
        order = record.order
        self._records[order.id] = record
        if record.request_id is not None:
            self._by_request[record.request_id] = order.id
        if order.is_final:
            self._open.pop(order.id, None)
            self._final[order.id] = None
            self._forget_oldest()
        else:
            self._open[order.id] = None
        return OrderChange(record, previous)

    def _forget_oldest(self) -> None:
        while len(self._final) > KEPT_FINAL:
            order_id = next(iter(self._final))
            del self._final[order_id]
            request_id = self._records.pop(order_id).request_id
            if request_id is not None and self._by_request.get(request_id) == order_id:
                del self._by_request[request_id]
