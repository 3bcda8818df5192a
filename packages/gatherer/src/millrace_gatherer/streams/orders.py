"""The account's own orders: the exchange's stream, reconciled with its answers to queries, joined in Redis."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import ClassVar, Final, NoReturn, cast

import msgspec
import structlog

from millrace_bus import Bus, Published, UnmergeableOrder
from millrace_core.actions import ORDERS, StreamAction
from millrace_core.clock import now_ms, now_ns
from millrace_core.orders import Order, OrderRecord, OrdersDelta, OrdersSnapshot
from millrace_core.states import OrdersState
from millrace_exchange import EventTimes, Exchange, Rejected
from millrace_gatherer.streams.following import RECONCILE_S, reconcile
from millrace_gatherer.streams.order_cache import OrderCache
from millrace_gatherer.streams.questions import account_timer, listed
from millrace_gatherer.streams.readable import Readable, is_possible_order
from millrace_gatherer.streams.stream import Stream
from millrace_gatherer.units import StreamUnitConfig
from millrace_service import UnitHealthReporter
from millrace_service.tasks import run_all

log = structlog.get_logger()

OVERLAP_MS: Final = 60_000
"""How far before the last complete answer to ask: the difference of two clocks, and how late an order may be listed."""
RECALLED: Final = 1_000
"""How many orders Redis lists by time."""
OVERDUE_S: Final = 2.0
"""How long after an answer a message may come of what it shows."""
MUTE: Final = "the exchange answers that an order changed, and the stream brings nothing"
FORGOTTEN: Final = "the exchange does not know an order that was open: it counts as expired"


class OrdersStream(Stream):
    """The account's orders in one symbol. An order is joined in Redis before it is published here."""

    action: ClassVar[StreamAction] = ORDERS
    resumes = True
    reconcile_s = RECONCILE_S

    def __init__(self, unit: StreamUnitConfig, exchange: Exchange, bus: Bus, health: UnitHealthReporter) -> None:
        self._bus = bus
        self._cache = OrderCache()
        self._readable = Readable(msgspec.json.Decoder(Order), health, is_possible_order)
        self._complete_until_ms: int | None = None
        """Everything up to this moment of the exchange's time was published; None if nothing ever was."""
        self._unknown: set[str] = set()
        """Orders that the exchange did not know when it was last asked."""
        self._messages = 0
        self._asked: list[int] = []
        """How many had come at each of the last two questions since it was subscribed."""
        self._was_interrupted = False
        """Whether orders may have come and gone meanwhile of which others told Redis alone."""
        self._changed: asyncio.Queue[tuple[list[OrderRecord], EventTimes, bool]] = asyncio.Queue()
        super().__init__(unit, exchange, bus, health)
        self._questions = account_timer(exchange, self.symbol, self.wake)

    async def follow(self) -> None:
        """Follow the stream, and ask what became of the orders: at once, soon again, and on a timer."""
        self._was_interrupted, self.is_subscribed = True, False
        try:
            await run_all(
                self.exchange.account.orders(self.symbol, self, self.on_subscribed),
                reconcile(self._reconcile, self.health, self.reconcile_s, self._questions),
            )
        except Rejected as refused:
            if not self._is_delisted:
                raise
            raise self._delisted(await self._settle()) from refused

    def on_subscribed(self) -> None:
        """Ask for what happened before: no message comes of that."""
        super().on_subscribed()
        self._asked = []

    async def work(self) -> NoReturn:
        """Join received orders in Redis, then publish them."""
        while True:
            records, event, is_live = await self._changed.get()
            try:
                merged = [await self._merge(each) for each in records if self._readable.accepts(each.order)]
                if changed := self._cache.take(merged):
                    self.publish(OrdersDelta(orders=changed), event, is_live=is_live)
                    if not is_live:
                        # Where an answer has what no message brought, others and the next may be missing too.
                        self._questions.found() if self.was_live else self._questions.received()
                        self._doubt_connection()
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
        self._complete_until_ms = published.at_ms + self.exchange.clock_offset_ms()
        self._was_interrupted = True

    def orders_changed(self, orders: list[Order], event: EventTimes) -> None:
        """Take orders that the exchange sent."""
        self.on_message()
        self._messages += 1
        self._questions.received()
        self._changed.put_nowait(([self._record(order) for order in orders], event, True))

    async def _reconcile(self) -> None:
        """Ask for all that can have changed, and publish it; what is open in Redis is open at the exchange then."""
        await self.known.wait()
        await self._recall()
        # Redis first: what is open there before the question is asked has to be in one of the answers.
        opened = await self._open_ids()
        self._asked = [*self._asked[-1:], self._messages]
        asked_at_ms, asked_at_s = now_ms(), self._clock()
        found = await self._fetch_orders()
        found += await self._outcomes(opened - {order.id for order in found}, asked_at_ms)
        await self._take_answers(map(self._record, found))
        self._complete_until_ms = self.exchange_ms_at(asked_at_s)
        self.live()

    def _doubt_connection(self) -> None:
        """Follow anew if nothing comes although something happened: a connection may answer pings and be mute."""
        messages, since_ns = self._messages, now_ns()
        if self._asked != [messages, messages]:
            return

        def follow_anew(broken: object) -> None:
            if self._messages == messages and self.broken is broken:
                self.health.count("silences")
                self.exchange.account.replace_mute(since_ns)
                self.fail(MUTE)

        asyncio.get_running_loop().call_later(OVERDUE_S, follow_anew, self.broken)

    async def _recall(self) -> None:
        """Publish orders that others, such as the executor, joined during an interruption."""
        if not self._was_interrupted or self._complete_until_ms is None:
            return
        name, since_ms = self.unit.name, self._complete_until_ms - self.exchange.clock_offset_ms() - OVERLAP_MS
        recent = await self._bus.orders.recent(name.tenant, name.exchange, self.symbol, RECALLED)
        await self._take_answers(record for record in reversed(recent) if record.updated >= since_ms)
        self._was_interrupted = False

    async def _open_ids(self) -> set[str]:
        name = self.unit.name
        in_redis = await self._bus.orders.open_ids(name.tenant, name.exchange, self.symbol)
        await self._changed.join()
        return in_redis | {order.id for order in self._cache.open}

    async def _fetch_orders(self) -> list[Order]:
        """Return the open orders, and those that ended since the last complete answer."""
        account, since_ms = self.exchange.account, self._complete_until_ms
        orders = await listed(account.fetch_open_orders(self.symbol), self.health)
        if since_ms is None:
            return orders
        try:
            ended = account.fetch_closed_orders(self.symbol, since_ms - OVERLAP_MS)
            return orders + await listed(ended, self.health)
        except Rejected as error:
            # Without its history, orders that came and went unseen stay unknown; each that was open is asked for.
            self.health.error(error)
            return orders

    async def _outcomes(self, missing: Iterable[str], asked_at_ms: int) -> list[Order]:
        """Return what became of orders that were open and are not listed any more, as far as it is proved."""
        answered: dict[str, Order | None] = {}
        for order_id in sorted(missing):
            try:
                answered[order_id] = await self.exchange.account.fetch_order(self.symbol, order_id=order_id)
            except Rejected as error:
                # One order that cannot be asked for must not keep the others from being right.
                self.health.error(error)
        return await self._proved(answered, asked_at_ms)

    async def _proved(self, answered: Mapping[str, Order | None], asked_at_ms: int) -> list[Order]:
        """Return the orders in answers, and those that have been missing from two in a row."""
        unknown = {order_id for order_id, order in answered.items() if order is None}
        forgotten = [await self._forgotten(order_id, asked_at_ms) for order_id in sorted(unknown & self._unknown)]
        self._unknown = unknown
        return [order for order in (*answered.values(), *forgotten) if order is not None]

    async def _forgotten(self, order_id: str, asked_at_ms: int) -> Order | None:
        """Return as expired what the exchange twice did not know, once its absence proves something."""
        name, profile = self.unit.name, self.exchange.profile
        record = await self._bus.orders.get(name.tenant, order_id, exchange=name.exchange, symbol=self.symbol)
        if record is not None:
            is_apart = record.order.trigger_price is not None and not profile.trigger_orders
            # Nothing waits for its trigger in a market that is gone.
            is_elsewhere = is_apart and not self._is_delisted
            if is_elsewhere or record.updated + profile.settlement_window_ms > asked_at_ms:
                return None
        self.health.count("forgotten")
        log.error(FORGOTTEN, order=order_id)
        return Order(id=order_id, symbol=self.symbol, status="expired")

    @property
    def _is_delisted(self) -> bool:
        """Tell whether the exchange lists markets, and not this one."""
        listed = self.exchange.rules.symbols
        return bool(listed) and self.symbol not in listed

    async def _settle(self) -> int:
        """Publish what became of orders in a market that is gone; return how many are open as far as is known."""
        await self.known.wait()
        await self._recall()
        if opened := await self._open_ids():
            asked_at_ms = now_ms()
            since_ms = (self._complete_until_ms or self.exchange_ms_at(self._clock())) - OVERLAP_MS
            answered = await self.exchange.account.fetch_delisted_orders(self.symbol, sorted(opened), since_ms)
            await self._take_answers(map(self._record, await self._proved(answered, asked_at_ms)))
        return len(await self._open_ids())

    def _delisted(self, still_open: int) -> Rejected:
        exchange = self.unit.name.exchange
        reason = f"{exchange} lists {self.symbol} no more"
        if still_open:
            reason += f", and does not say what became of {still_open} orders that were open there"
        return Rejected(reason, exchange=exchange, action=self.action.name, kind="BadSymbol")

    async def _take_answers(self, records: Iterable[OrderRecord]) -> None:
        self._changed.put_nowait((list(records), EventTimes(None, now_ns()), False))
        await self._changed.join()

    def _record(self, order: Order) -> OrderRecord:
        return OrderRecord(order=order, exchange=self.unit.name.exchange, updated=now_ms())
