"""The account's own orders: the exchange's stream, reconciled with its answers to queries, joined in Redis."""

import asyncio
from collections.abc import Iterable
from typing import ClassVar, Final, NoReturn, cast

from millrace_bus import Bus, Published, UnmergeableOrder
from millrace_core.actions import ORDERS, StreamAction
from millrace_core.clock import now_ms, now_ns
from millrace_core.orders import Order, OrderRecord, OrdersDelta, OrdersSnapshot, join
from millrace_core.states import OrdersState
from millrace_exchange import EventTimes, Exchange
from millrace_gatherer.streams.following import RECONCILE_S, reconcile
from millrace_gatherer.streams.stream import Stream
from millrace_gatherer.units import StreamUnitConfig
from millrace_service import UnitHealthReporter
from millrace_service.tasks import run_all

OVERLAP_MS: Final = 10_000
"""An order may be joined in Redis this long before it is published; also covers clock differences."""
RECALLED: Final = 1_000
"""How many orders Redis lists by time."""
REMEMBERED: Final = 1_000
"""How many final orders are recognised, so that a late message about one changes nothing."""
_PUBLISHED_CHANGES: Final = ("status", "filled", "amount", "remaining", "price", "average")


class OrderCache:
    """The orders of one symbol as they were last published: finds which changed, and holds the open ones. Pure."""

    def __init__(self) -> None:
        self._records: dict[str, OrderRecord] = {}

    @property
    def open(self) -> list[Order]:
        """Return the open orders."""
        return [record.order for record in self._records.values() if not record.order.is_final]

    def restart(self, records: Iterable[OrderRecord]) -> None:
        """Hold these orders, as they were published, and no others."""
        self._records.clear()
        self.take(records)

    def take(self, records: Iterable[OrderRecord]) -> list[Order]:
        """Join records with those held; return the orders of which something that matters changed."""
        changed: dict[str, Order] = {}
        for record in records:
            known = self._records.pop(record.order.id, None)
            joined = record if known is None else join(known, record)
            self._records[record.order.id] = joined
            if known is None or any(getattr(joined.order, n) != getattr(known.order, n) for n in _PUBLISHED_CHANGES):
                changed[joined.order.id] = joined.order
        self._forget()
        return list(changed.values())

    def open_but_missing(self, orders: Iterable[Order], asked_at_ms: int) -> list[Order]:
        """Return the open orders that an answer does not list although they were held before it was asked for."""
        listed = {order.id for order in orders}
        return [
            record.order
            for record in self._records.values()
            if not record.order.is_final and record.order.id not in listed and record.updated < asked_at_ms
        ]

    def _forget(self) -> None:
        excess = len(self._records) - REMEMBERED
        final = (order_id for order_id, record in self._records.items() if record.order.is_final)
        for order_id in [order_id for order_id, _ in zip(final, range(excess), strict=False)]:
            del self._records[order_id]


class OrdersStream(Stream):
    """The account's orders in one symbol. An order is joined in Redis before it is published here."""

    action: ClassVar[StreamAction] = ORDERS
    resumes = True
    reconcile_s = RECONCILE_S

    def __init__(self, unit: StreamUnitConfig, exchange: Exchange, bus: Bus, health: UnitHealthReporter) -> None:
        self._bus = bus
        self._cache = OrderCache()
        self._published_until_ms: int | None = None
        """Everything up to this moment was published; None once later orders have been recalled."""
        self._changed: asyncio.Queue[tuple[list[OrderRecord], EventTimes, bool]] = asyncio.Queue()
        super().__init__(unit, exchange, bus, health)

    async def follow(self) -> None:
        """Follow the stream and ask for the open orders on a timer."""
        await run_all(
            self.exchange.account.orders(self.symbol, self),
            reconcile(self._reconcile, self.health, self.reconcile_s, self.wake),
        )

    async def work(self) -> NoReturn:
        """Join received orders in Redis, then publish them."""
        while True:
            records, event, is_live = await self._changed.get()
            try:
                merged = [await self._merge(record) for record in records]
                if changed := self._cache.take(merged):
                    self.publish(OrdersDelta(orders=changed), event, is_live=is_live)
            finally:
                self._changed.task_done()

    async def _merge(self, record: OrderRecord) -> OrderRecord:
        try:
            return await self._bus.orders.merge(self.unit.name.tenant, record)
        except UnmergeableOrder as error:
            # What somebody else wrote there must not end the stream: trying again would fail again.
            self.health.error(error)
            return record

    def take_snapshot(self, as_of: str) -> OrdersSnapshot:
        """Return the open orders."""
        return OrdersSnapshot(orders=self._cache.open, as_of=as_of)

    def resume(self, published: Published) -> None:
        """Restore the published orders; then ask about the open ones."""
        reported = [order for delta in published.deltas for order in cast(OrdersDelta, delta).orders]
        orders = [*reported, *cast(OrdersState, published.state).open.values()]
        self._cache.restart(OrderRecord(order, self.unit.name.exchange, published.at_ms) for order in orders)
        self._published_until_ms = published.at_ms

    def orders_changed(self, orders: list[Order], event: EventTimes) -> None:
        """Take orders that the exchange sent."""
        self.on_message()
        self._changed.put_nowait(([self._record(order) for order in orders], event, True))

    async def _recall(self, since_ms: int) -> None:
        """Publish orders that others, such as the executor, joined during an interruption."""
        name = self.unit.name
        recent = await self._bus.orders.recent(name.tenant, name.exchange, self.symbol, RECALLED)
        missed = [record for record in reversed(recent) if record.updated >= since_ms - OVERLAP_MS]
        self._changed.put_nowait((missed, EventTimes(None, now_ns()), False))
        await self._changed.join()

    async def _reconcile(self) -> None:
        await self.known.wait()
        since_ms, self._published_until_ms = self._published_until_ms, None
        if since_ms is not None:
            await self._recall(since_ms)
        asked_at_ms = now_ms()
        account = self.exchange.account
        orders = await account.fetch_open_orders(self.symbol)
        await self._changed.join()
        for missing in self._cache.open_but_missing(orders, asked_at_ms):
            if (order := await account.fetch_order(self.symbol, order_id=missing.id)) is not None:
                orders.append(order)
        event = EventTimes(None, now_ns())
        self._changed.put_nowait(([self._record(order) for order in orders], event, False))
        await self._changed.join()
        self.live()

    def _record(self, order: Order) -> OrderRecord:
        return OrderRecord(order=order, exchange=self.unit.name.exchange, updated=now_ms())
