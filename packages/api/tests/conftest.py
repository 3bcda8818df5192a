"""The API as it is served: a real Valkey, a real database, a real socket; and a small gatherer and executor."""

import asyncio
import itertools
import json
import os
import shutil
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import msgspec
import picows
import pytest
import pytest_asyncio

from millrace_api.access.principal import Role
from millrace_api.access.tokens import new_token
from millrace_api.configs.models import TenantLimits
from millrace_api.server import Server, listen
from millrace_api.services import DEFAULTS, Services
from millrace_bus import Bus, EmbeddedServer, StreamWriter
from millrace_core.book import OrderBook
from millrace_core.clock import now_ms
from millrace_core.heartbeat import Heartbeat
from millrace_core.ids import MessageId
from millrace_core.latency import Histogram
from millrace_core.market import Balance, BookDelta, BookSnapshot, ExchangePosition, Trade
from millrace_core.market_terms import MarketTerms
from millrace_core.messages import RequestError, Response, Status
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant, trader_actions
from millrace_core.orders import Order
from millrace_core.requests import action_of, parse_request
from millrace_core.trace import Trace
from millrace_store import Place, Store

in_session = partial(pytest_asyncio.fixture, loop_scope="session")
"""Make a fixture that lives in the tests' one event loop."""
ROOMY = DEFAULTS.model_copy(
    update={
        "requests_per_second": 10_000.0,
        "burst": 10_000,
        "failures_burst": 10_000,
        "tenant_limits": TenantLimits(
            requests_per_second=10_000.0, burst=10_000, questions=10_000, commands_per_second=10_000
        ),
    }
)
_tenants = itertools.count()
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Without the authorities, whose reading takes longer than many a test."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run all tests of this folder in one event loop, in which the API is served."""
    for item in items:
        if pytest_asyncio.is_async_test(item) and item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@in_session(scope="session")
async def redis(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedServer]:
    """A Valkey for all tests."""
    async with await EmbeddedServer.start(tmp_path_factory.mktemp("redis")) as server:
        yield server


@in_session(scope="session")
async def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database, to be copied: making its tables takes most of a short test's time."""
    path = tmp_path_factory.mktemp("database") / "empty.db"
    async with Store.open(f"sqlite:///{path}"):
        pass
    shutil.copy(path, path.with_name("shared.db"))
    return path


@in_session()
async def bus(redis: EmbeddedServer) -> AsyncIterator[Bus]:
    """The bus of other services."""
    async with Bus.connect(redis.url, name="test") as bus:
        yield bus


@dataclass
class Api:
    """The API of one test."""

    services: Services
    server: Server

    @property
    def store(self) -> Store:
        """Return the database."""
        return self.services.store

    @property
    def url(self) -> str:
        """Return where it is served."""
        return f"http://127.0.0.1:{self.server.port}"

    async def token(self, tenant: Tenant, role: Role = "admin", name: str | None = None) -> str:
        """Make a token."""
        text, record = new_token(tenant, name or f"{role}-{next(_tenants)}", role, now_ms())
        await self.store.access.add_token(record)
        return str(text)

    @asynccontextmanager
    async def client(self, token: str | None = None) -> AsyncIterator[httpx.AsyncClient]:
        """Return an HTTP client that sends a token along."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with httpx.AsyncClient(base_url=self.url, headers=headers, timeout=20, verify=_NO_TLS) as client:
            yield client

    async def audit(self, tenant: str) -> list[dict[str, Any]]:
        """Return the trail of a tenant, oldest first."""
        await self.services.authenticator.trail.settled(60)
        found = await self.store.access.audit(Tenant(tenant))
        return [msgspec.to_builtins(row) for row in reversed(found.rows)]


@asynccontextmanager
async def serving(redis: EmbeddedServer, database: Path | str) -> AsyncIterator[Api]:
    """Serve the API on a free port, with a file or a server's address as its database."""
    url = f"sqlite:///{database}" if isinstance(database, Path) else database
    async with (
        Store.open(url, migrate=False) as store,
        Bus.connect(redis.url, name="api") as bus,
    ):
        services = Services.make(store, bus, ROOMY)
        server = await Server.start(services, listen("127.0.0.1", 0))
        try:
            yield Api(services, server)
        finally:
            await server.stop()


@in_session(scope="session")
async def shared(redis: EmbeddedServer, empty: Path) -> AsyncIterator[Api]:
    """One API for all tests: to make one takes longer than many a test. It looks at tokens often."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("millrace_api.access.holdings.CHECK_S", 0.2)
        patched.setattr("millrace_api.access.verifier.RECHECK_S", 0.2)
        patched.setattr("millrace_api.trading.halts.PATIENCE_S", 20.0)
        patched.setattr("millrace_serving.connections.SWEEP_S", 0.1)
        async with serving(redis, empty.with_name("shared.db")) as api:
            yield api


@in_session()
async def api(shared: Api) -> AsyncIterator[Api]:
    """The API, with limits that no test reaches by chance; what is a tenant's tells tests apart."""
    yield shared
    shared.services.configure(ROOMY)


@in_session()
async def mortal(empty: Path, tmp_path: Path) -> AsyncIterator[tuple[Api, EmbeddedServer]]:
    """An API of its own, with a Valkey of its own, which a test may kill."""
    shutil.copy(empty, tmp_path / "test.db")
    async with await EmbeddedServer.start(tmp_path / "redis") as redis, serving(redis, tmp_path / "test.db") as api:
        yield api, redis


@in_session()
async def fresh(redis: EmbeddedServer, empty: Path, tmp_path: Path) -> AsyncIterator[Api]:
    """An API without earlier requests, for tests of its limits on unauthenticated clients."""
    shutil.copy(empty, tmp_path / "test.db")
    async with serving(redis, tmp_path / "test.db") as api:
        yield api


@pytest.fixture
def tenant() -> Tenant:
    """A tenant that no other test has."""
    return Tenant(f"T{os.getpid()}-{next(_tenants)}")


@pytest.fixture
def other() -> Tenant:
    """Another tenant."""
    return Tenant(f"T{os.getpid()}-{next(_tenants)}")


@in_session()
async def admin(api: Api, tenant: Tenant) -> AsyncIterator[httpx.AsyncClient]:
    """The tenant's admin."""
    async with api.client(await api.token(tenant)) as client:
        yield client


@pytest.fixture
def place() -> Callable[..., Place]:
    """Name a message of a stream, its numbers counted here."""
    counts: dict[str, int] = {}

    def next_place(name: StreamName | str, at_ms: int) -> Place:
        counts[str(name)] = counts.get(str(name), 0) + 1
        return Place(str(name), MessageId(1_700_000_000_000, counts[str(name)]), at_ms, at_ms)

    return next_place


class PublishedBook:
    """A gatherer in small: a book, and the writer that publishes its changes."""

    def __init__(self, bus: Bus, name: StreamName) -> None:
        self.name = name
        self.book = OrderBook()
        self.writer: StreamWriter = bus.writer(name, self._snapshot)

    def _snapshot(self, as_of: MessageId) -> BookSnapshot:
        return BookSnapshot(self.book.bids.levels(), self.book.asks.levels(), str(as_of), self.book.checksum())

    def bid(self, price: float, amount: float) -> MessageId:
        """Change a level and publish that, with its proof."""
        self.book.apply([(price, amount)], [], None)
        return self.writer.delta(BookDelta([(price, amount)], [], checksum=self.book.checksum()))


@in_session()
async def book(bus: Bus, tenant: Tenant) -> AsyncIterator[PublishedBook]:
    """A book that is published, with one bid."""
    name = StreamName(tenant, ExchangeId("kucoin"), Action("watchOrderBook"), Symbol("KCS/USDT"))
    published = PublishedBook(bus, name)
    published.book.apply([(10.0, 1.0)], [(11.0, 1.0)], None)
    await published.writer.open()
    yield published
    await published.writer.close()


class Executor:
    """A small executor: answers each request once, with the status that the test sets."""

    def __init__(self, bus: Bus, tenant: Tenant) -> None:
        self.tenant = tenant
        self.requests: list[Any] = []
        self.status: Any = "done"
        self._bus = bus
        self._writers: dict[StreamName, StreamWriter] = {}
        self._answered: set[str] = set()

    async def run(self) -> None:
        """Answer until cancelled."""
        reader = self._bus.request_reader(self.tenant, consumer="test")
        async for arrived in reader:
            request = parse_request(arrived.raw)
            self.requests.append(request)
            if request.request_id not in self._answered:
                self._answered.add(str(request.request_id))
                await self._answer(request)
            await reader.done(arrived)

    async def _answer(self, request: Any) -> None:
        action, symbol = action_of(request), request.payload.symbol
        name = StreamName(
            self.tenant,
            ExchangeId(request.exchange_id or "all"),
            Action(action),
            None if symbol is None else Symbol(symbol),
        )
        if name not in self._writers:
            self._writers[name] = self._bus.writer(name, None)
            await self._writers[name].open()
        error = None if self.status == "done" else RequestError("RiskRefused", "more than the risk limits allow")
        order = Order(id=f"o-{len(self.requests)}", symbol=symbol, status="open") if error is None else None
        self._writers[name].response(Response(str(request.request_id), self.status, order, error=error))


@in_session()
async def executor(bus: Bus, tenant: Tenant) -> AsyncIterator[Executor]:
    """The tenant's executor."""
    executor = Executor(bus, tenant)
    task = asyncio.create_task(executor.run())
    yield executor
    task.cancel()
    await asyncio.wait({task})


class Head(msgspec.Struct):
    """What tells messages apart."""

    type: str
    id: str | None = None


class Socket(picows.WSListener):
    """A WebSocket client that remembers what it receives."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.is_whole = True
        """Whether messages are remembered with their data."""
        self.transport: picows.WSTransport | None = None
        self.closed: tuple[int, str] | None = None
        self._more = asyncio.Event()

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        """Remember the way back."""
        self.transport = transport

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        """Remember a message."""
        if frame.msg_type == picows.WSMsgType.TEXT:
            model = Any if self.is_whole else Head
            self.received.append(msgspec.to_builtins(msgspec.json.decode(frame.get_payload_as_bytes(), type=model)))
        elif frame.msg_type == picows.WSMsgType.CLOSE:
            self.closed = (int(frame.get_close_code()), frame.get_close_reason())
            transport.disconnect()
        self._more.set()

    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:
        """Remember that it is over."""
        self.closed = self.closed or (0, "")
        self._more.set()

    def say(self, **command: Any) -> None:
        """Send a command."""
        assert self.transport is not None
        self.transport.send(picows.WSMsgType.TEXT, json.dumps(command).encode())

    async def until(self, reached: Callable[[], object]) -> None:
        """Wait for messages until a condition holds."""
        async with asyncio.timeout(60):
            while not reached():
                self._more.clear()
                await self._more.wait()

    def of_type(self, *kinds: str) -> list[dict[str, Any]]:
        """Return the received messages of some types."""
        return [each for each in self.received if each["type"] in kinds]


@in_session()
async def connect(api: Api) -> AsyncIterator[Callable[..., Any]]:
    """Connect WebSockets."""
    opened: list[Socket] = []

    async def connect(token: str, **headers: str) -> Socket:
        url = f"ws://127.0.0.1:{api.server.port}/api/v1/live"
        _, socket = await picows.ws_connect(Socket, url, extra_headers={"Authorization": f"Bearer {token}", **headers})
        opened.append(socket)
        return socket

    yield connect
    for socket in opened:
        assert socket.transport is not None
        socket.transport.disconnect()
    await asyncio.gather(*(socket.transport.wait_disconnected() for socket in opened), return_exceptions=True)


@in_session()
async def stored(api: Api, bus: Bus, tenant: Tenant) -> dict[str, str]:
    """Store some of everything in the database; return the ids of an order and its request."""
    at_ms, request_id, exchange = now_ms() - 120_000, "ab" * 16, ExchangeId("kucoin")

    def at(action: str, seq: int = 1) -> Place:
        return Place(str(StreamName(tenant, exchange, Action(action), Symbol("KCS/USDT"))), MessageId(1, seq), at_ms)

    order = Order(id="o-1", symbol="KCS/USDT", status="open", amount=Decimal(1), filled=Decimal(0), timestamp=at_ms)
    trade = Trade("1", at_ms, "KCS/USDT", "buy", 10.5, 0.1, order="o-1")
    error = RequestError("RiskRefused", "too much")
    heartbeat = Heartbeat(f"X-{tenant}", "gatherer", "running", 1, at_ms, at_ms, "1")
    histogram = Histogram()
    histogram.record(1_000)
    async with api.store.batch() as batch:
        batch.trades(at("watchTrades"), [trade])
        batch.own_trades(at("watchMyTrades"), [trade])
        batch.orders(at("watchOrders"), [order])
        batch.candles(at("watchOHLCV"), "1m", [(at_ms // 60_000 * 60_000, 1.0, 2.0, 0.5, 1.5, 10.0)])
        batch.ticker(at("watchTicker"), b'{"last":10.5}')
        batch.status(
            at("watchTicker", 2), Status("live", market=MarketTerms("KCS", "USDT", tick_size=Decimal("0.001")))
        )
        batch.balances(at("watchBalance"), {"USDT": Balance(1.0, 0.0, 1.0)})
        held = ExchangePosition("KCS/USDT:USDT", "long", contracts=2.0)
        batch.exchange_positions(at("watchPositions"), [held])
        asked = b'{"requestId":"%b","payload":{"amountBase":12345678.123456789012}}' % request_id.encode()
        batch.request(Place(trader_actions(tenant), MessageId(1, 1), at_ms), asked, {"requestId": request_id})
        batch.response(at("createOrder"), Response(request_id, "done", order), Trace(accepted=1, sent=2))
        batch.response(at("createOrder", 2), Response("cd" * 16, "rejected", error=error), Trace())
        batch.dead_letter(at("watchTrades", 2), "no JSON", b"\xff")
        batch.gap(at("watchTrades").name, 1, 5, 9, at_ms, "trimmed")
        batch.latency(at("watchTrades").name, "received→published", at_ms // 60_000 * 60_000, histogram)
        batch.agent(heartbeat)
    await api.store.maintain(currencies={tenant: "USDT"})
    await bus.heartbeat(heartbeat)
    return {"order_id": "o-1", "request_id": request_id, "agent_id": heartbeat.id}


@in_session()
async def twins(api: Api, tenant: Tenant) -> str:
    """Store two orders of one exchange with the same id, each of a symbol of its own; return the id."""
    async with api.store.batch() as batch:
        for symbol in ("ETH/USDT", "XRP/USDT"):
            name = StreamName(tenant, ExchangeId("binance"), Action("watchOrders"), Symbol(symbol))
            batch.orders(Place(str(name), MessageId(1, 1), now_ms()), [Order(id="341", symbol=symbol, status="open")])
    return "341"


@pytest.fixture
def trade() -> Callable[..., Trade]:
    """Make trades."""

    def make(number: int, at_ms: int, symbol: str = "KCS/USDT") -> Trade:
        return Trade(id=str(number), timestamp=at_ms, symbol=symbol, side="buy", price=10.5, amount=0.1)

    return make
