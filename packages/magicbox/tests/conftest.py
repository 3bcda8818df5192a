"""A real server, and magicbox's partners on the bus: a gatherer and an executor played by the test."""

import asyncio
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from millrace_bus import Bus, EmbeddedServer, StreamWriter
from millrace_core.book import OrderBook
from millrace_core.clock import now_ms
from millrace_core.heartbeat import Heartbeat, UnitHealth
from millrace_core.ids import MessageId
from millrace_core.market import BookDelta, BookSnapshot
from millrace_core.messages import Response
from millrace_core.names import Action, AgentId, ExchangeId, StreamName, Symbol, Tenant
from millrace_core.orders import Order, OrderRecord, OrdersDelta, OrdersSnapshot
from millrace_core.requests import CreateOrder, Request, action_of, parse_request
from millrace_core.trace import Trace
from millrace_magicbox import MagicboxAgent
from millrace_service import Settings, run_agent

AGENT = AgentId("MAGICBOX")
TENANT, EXCHANGE, SYMBOL = Tenant("StrankaXY"), ExchangeId("binance"), Symbol("KCS/USDT")
SUBSCRIPTIONS = [
    {"exchangeId": EXCHANGE, "symbol": SYMBOL, "dataPoint": "watchOrderBook"},
    {"exchangeId": EXCHANGE, "symbol": SYMBOL, "dataPoint": "watchOrders"},
]


class Venue:
    """The gatherer and the executor of one account, in the test's hands."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._book = OrderBook()
        self._open: dict[tuple[str, str], Order] = {}
        self._orders: dict[str, StreamWriter] = {}
        self._answers: dict[StreamName, StreamWriter] = {}
        self._books = bus.writer(self._name("watchOrderBook"), self._book_snapshot)
        self._reader = bus.request_reader(TENANT, consumer="EXECUTOR")

    async def open(self) -> None:
        """Open the streams."""
        await self._books.open()
        await self._orders_writer(SYMBOL)

    async def close(self) -> None:
        """Close them."""
        await self._reader.close()
        for writer in (self._books, *self._orders.values(), *self._answers.values()):
            await writer.close()

    def tell_book(self, bid: float, ask: float) -> None:
        """Let the book have this spread."""
        bids, asks = self._book.difference([(bid, 5.0), (9.9, 1.0)], [(ask, 5.0)])
        self._book.apply(bids, asks, None)
        received = Trace(exchange=1, received=2)
        self._books.delta(BookDelta(bids=bids, asks=asks), timestamp=now_ms(), trace=received)

    async def next_request(self) -> Request:
        """Wait for the next request to trade."""
        async with asyncio.timeout(60):
            arrived = await anext(aiter(self._reader))
        await self._reader.done(arrived)
        return parse_request(arrived.raw)

    def order_of(self, request: Request, order_id: str) -> Order:
        """Return the order that a request makes on the exchange."""
        assert isinstance(request, CreateOrder)
        payload = request.payload
        return Order(
            id=order_id,
            symbol=payload.symbol,
            timestamp=now_ms(),
            type=payload.type,
            side=payload.side,
            price=payload.price,
            amount=payload.amount_base,
            filled=Decimal(0),
            status="open",
        )

    async def answer(
        self, request: Request, order: Order | None, *, status: Any = "done", is_listed: bool = True
    ) -> None:
        """Answer a request as the executor does: join the order's hash, then publish."""
        source = request.payload.order_source
        if order is not None:
            request_id = request.request_id if isinstance(request, CreateOrder) else None
            record = OrderRecord(
                order=order, exchange=EXCHANGE, updated=now_ms(), order_source=source, request_id=request_id
            )
            await self._bus.orders.merge(TENANT, record)
        response = Response(request_id=request.request_id or "", status=status, order=order, order_source=source)
        symbol = getattr(request.payload, "symbol", None) if is_listed else None
        writer = await self._answer_writer(action_of(request), symbol)
        writer.response(response, trace=request.trace)

    async def tell_order(self, order: Order, **fields: Any) -> Order:
        """Report an order as the gatherer does: join its hash, then publish; return the order."""
        order = msgspec.structs.replace(order, last_update_timestamp=now_ms(), **fields)
        await self._bus.orders.merge(TENANT, OrderRecord(order=order, exchange=EXCHANGE, updated=now_ms()))
        symbol = order.symbol or SYMBOL
        if order.is_final:
            self._open.pop((symbol, order.id), None)
        else:
            self._open[symbol, order.id] = order
        await self._orders_writer(symbol)
        self.publish_order(order)
        return order

    def publish_order(self, order: Order) -> None:
        """Publish an order without joining its hash."""
        self._orders[order.symbol or SYMBOL].delta(OrdersDelta([order]))

    async def _orders_writer(self, symbol: str) -> StreamWriter:
        if symbol not in self._orders:
            name = StreamName(TENANT, EXCHANGE, Action("watchOrders"), Symbol(symbol))
            writer = self._bus.writer(name, partial(self._orders_snapshot, symbol))
            await writer.open()
            self._orders[symbol] = writer
        return self._orders[symbol]

    async def _answer_writer(self, action: str, symbol: str | None) -> StreamWriter:
        name = StreamName(TENANT, EXCHANGE, Action(action), None if symbol is None else Symbol(symbol))
        if name not in self._answers:
            self._answers[name] = self._bus.writer(name, None)
            await self._answers[name].open()
        return self._answers[name]

    def _name(self, action: str) -> StreamName:
        return StreamName(TENANT, EXCHANGE, Action(action), SYMBOL)

    def _book_snapshot(self, as_of: MessageId) -> BookSnapshot:
        book = self._book
        return BookSnapshot(
            bids=book.bids.levels(), asks=book.asks.levels(), as_of=str(as_of), checksum=book.checksum()
        )

    def _orders_snapshot(self, symbol: str, as_of: MessageId) -> OrdersSnapshot:
        return OrdersSnapshot(orders=[o for (of, _), o in self._open.items() if of == symbol], as_of=str(as_of))


class Magicbox:
    """A magicbox that runs in the test's own event loop."""

    def __init__(self, server: EmbeddedServer, bus: Bus, folder: Path, agent: AgentId = AGENT) -> None:
        self._server, self._bus, self.folder, self._agent = server, bus, folder, agent
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self, *plugins: dict[str, Any], subscriptions: Any = SUBSCRIPTIONS) -> None:
        """Start it with these plugins."""
        await self.configure(*plugins, subscriptions=subscriptions)
        settings = Settings(agent_id=self._agent, redis_url=self._server.url)
        self._task = asyncio.create_task(run_agent(MagicboxAgent(self.folder), settings, stop=self._stop))

    async def configure(self, *plugins: dict[str, Any], subscriptions: Any = SUBSCRIPTIONS) -> None:
        """Write a configuration with these plugins."""
        workplan = {"tenantId": TENANT, "plugins": plugins, "subscriptions": subscriptions}
        config = {"agent": {"id": self._agent}, "workplans": [workplan] if plugins else []}
        await self._bus.put_config(self._agent, json.dumps(config))

    async def heartbeat(self) -> Heartbeat | None:
        """Return its heartbeat."""
        return next((beat for beat in await self._bus.heartbeats() if beat.id == self._agent), None)

    async def unit_in_state(self, name: str, *states: str) -> UnitHealth:
        """Wait until a unit is in one of these states."""
        async with asyncio.timeout(60):
            while True:
                beat = await self.heartbeat()
                for unit in beat.units if beat else ():
                    if unit.name == f"{TENANT}.{name}" and unit.state in states:
                        return unit
                await asyncio.sleep(0.02)

    async def no_units(self) -> None:
        """Wait until it runs nothing any more."""
        async with asyncio.timeout(60):
            while True:
                beat = await self.heartbeat()
                if beat is not None and not beat.units:
                    return
                await asyncio.sleep(0.02)

    def beside(self, agent: str) -> "Magicbox":
        """Return another one with the same plugins, still to be started."""
        return Magicbox(self._server, self._bus, self.folder, AgentId(agent))

    async def stop(self) -> None:
        """Stop it."""
        self._stop.set()
        if self._task is not None:
            await self._task


@pytest.fixture
async def venue(bus: Bus) -> AsyncIterator[Venue]:
    """Return the gatherer and executor that the test plays."""
    venue = Venue(bus)
    await venue.open()
    yield venue
    await venue.close()


@pytest.fixture
async def magicbox(server: EmbeddedServer, bus: Bus, tmp_path: Path) -> AsyncIterator[Magicbox]:
    """Return a magicbox with an empty plugin folder, still to be started."""
    folder = tmp_path / "strategies"
    folder.mkdir()
    magicbox = Magicbox(server, bus, folder)
    yield magicbox
    await magicbox.stop()
