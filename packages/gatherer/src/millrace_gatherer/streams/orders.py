"""Our own orders: what the exchange tells, reconciled with what it answers when asked, joined in Redis."""

import asyncio
from typing import Final, NoReturn, cast

from millrace_bus import Bus, Published
from millrace_core.clock import now_ms, now_ns
from millrace_core.names import Symbol
from millrace_core.orders import Order, OrderRecord, OrdersDelta, OrdersSnapshot
from millrace_core.states import OrdersState
from millrace_exchange import Event, Feed
from millrace_gatherer.streams.known_orders import KnownOrders
from millrace_gatherer.streams.reconciling import RECONCILE_S, reconcile
from millrace_gatherer.streams.stream import Stream
from millrace_gatherer.units import StreamUnit
from millrace_service import UnitHealthReporter
from millrace_service.tasks import run_all

OVERLAP_MS: Final = 10_000
"""An order may be joined in Redis so long before what is published of it; also the difference of two clocks."""
RECALLED: Final = 1_000
"""How many orders Redis lists by time."""


class OrdersStream(Stream):
    """The account's orders in one symbol. An order is joined in Redis before it is published here."""

    resumes = True
    reconcile_s = RECONCILE_S

    def __init__(self, unit: StreamUnit, symbol: Symbol, bus: Bus, health: UnitHealthReporter) -> None:
        self._symbol = symbol
        self._bus = bus
        self._known = KnownOrders()
        self._away_since: int | None = None
        """Up to when all was published, ms, as long as nobody has looked what came after."""
        self._changed: asyncio.Queue[tuple[list[OrderRecord], Event, bool]] = asyncio.Queue()
        super().__init__(unit, bus, health)

    async def follow(self, feed: Feed) -> None:
        """Follow the stream and ask for the open orders on a timer."""
        await run_all(
            feed.orders(self._symbol, self),
            reconcile(lambda: self._reconcile(feed), self.health, self.reconcile_s, self.wake),
        )

    async def work(self) -> NoReturn:
        """Join what was learnt of orders in Redis, then publish it."""
        while True:
            records, event, is_live = await self._changed.get()
            try:
                tenant = self.unit.name.tenant
                merged = [await self._bus.orders.merge(tenant, record) for record in records]
                if changed := self._known.take(merged):
                    self.publish(OrdersDelta(orders=changed), event, is_live=is_live)
            finally:
                self._changed.task_done()

    def take_snapshot(self, as_of: str) -> OrdersSnapshot:
        """Return the open orders."""
        return OrdersSnapshot(orders=self._known.open, as_of=as_of)

    def resume(self, published: Published) -> None:
        """Know the orders that were published; what became of the open ones is asked for."""
        told = [order for delta in published.deltas for order in cast(OrdersDelta, delta).orders]
        orders = [*told, *cast(OrdersState, published.state).open.values()]
        self._known.restart(OrderRecord(order, self.unit.name.exchange, published.at_ms) for order in orders)
        self._away_since = published.at_ms

    def orders_changed(self, orders: list[Order], event: Event) -> None:
        """Take orders that the exchange told of."""
        self.heard()
        self._changed.put_nowait(([self._record(order) for order in orders], event, True))

    async def _recall(self, since_ms: int) -> None:
        """Take what others, such as the executor, learnt of orders while nobody published."""
        name = self.unit.name
        recent = await self._bus.orders.recent(name.tenant, name.exchange, self._symbol, RECALLED)
        missed = [record for record in reversed(recent) if record.updated >= since_ms - OVERLAP_MS]
        self._changed.put_nowait((missed, Event(None, now_ns()), False))
        await self._changed.join()

    async def _reconcile(self, feed: Feed) -> None:
        await self.known.wait()
        since_ms, self._away_since = self._away_since, None
        if since_ms is not None:
            await self._recall(since_ms)
        asked_at = now_ms()
        orders = await feed.fetch_open_orders(self._symbol)
        await self._changed.join()
        for missing in self._known.open_but_missing(orders, asked_at):
            if (order := await feed.fetch_order(self._symbol, missing.id)) is not None:
                orders.append(order)
        event = Event(None, now_ns())
        self._changed.put_nowait(([self._record(order) for order in orders], event, False))
        await self._changed.join()
        self.live()

    def _record(self, order: Order) -> OrderRecord:
        return OrderRecord(order=order, exchange=self.unit.name.exchange, updated=now_ms())
