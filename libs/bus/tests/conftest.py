"""Real servers: one that all tests share, each under a tenant of its own, and one to kill; a book to publish."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from millrace_bus import Bus, EmbeddedServer, Follower, StreamWriter, Update
from millrace_core.book import OrderBook
from millrace_core.ids import MessageId
from millrace_core.market import BookDelta, BookSnapshot
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant

_tenants = itertools.count()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedServer]:
    """A server for all tests that do it no harm."""
    async with await EmbeddedServer.start(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
async def killable(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    """A server for one test, to be killed."""
    async with await EmbeddedServer.start(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def server(request: pytest.FixtureRequest) -> EmbeddedServer:
    """The server of this test: `killable` where it asked for that, else the shared one."""
    name = "killable" if "killable" in request.fixturenames else "shared"
    found: EmbeddedServer = request.getfixturevalue(name)
    return found


@pytest.fixture
async def bus(server: EmbeddedServer) -> AsyncIterator[Bus]:
    """The bus that writes."""
    async with Bus.connect(server.url, name="test") as bus:
        yield bus


@pytest.fixture
async def other(server: EmbeddedServer) -> AsyncIterator[Bus]:
    """The bus of another process, which reads."""
    async with Bus.connect(server.url, name="other") as bus:
        yield bus


@pytest.fixture
def tenant() -> Tenant:
    """A tenant that no other test has."""
    return Tenant(f"T{os.getpid()}-{next(_tenants)}")


@pytest.fixture
def name(tenant: Tenant) -> StreamName:
    """An order book's stream that no other test has."""
    return StreamName(tenant, ExchangeId("kucoin"), Action("watchOrderBook"), Symbol("KCS/USDT"))


@pytest.fixture
def answers(tenant: Tenant) -> StreamName:
    """A stream of answers that no other test has."""
    return StreamName(tenant, ExchangeId("kucoin"), Action("createOrder"), Symbol("KCS/USDT"))


class PublishedBook:
    """A gatherer in small: a book, and the writer that publishes its changes."""

    def __init__(self, bus: Bus, name: StreamName, retention: int = 10_000, snapshot_interval_s: float = 60.0) -> None:
        self.book = OrderBook()
        self.writer: StreamWriter = bus.writer(
            name, self.snapshot, retention=retention, snapshot_interval_s=snapshot_interval_s
        )

    def snapshot(self, as_of: MessageId) -> BookSnapshot:
        """Return the whole book."""
        return BookSnapshot(self.book.bids.levels(), self.book.asks.levels(), str(as_of), self.book.checksum())

    def bid(self, price: float, amount: float) -> MessageId:
        """Change a level and publish that, with its proof."""
        self.book.apply([(price, amount)], [], None)
        return self.writer.delta(BookDelta([(price, amount)], [], checksum=self.book.checksum()))


@pytest.fixture
async def published(bus: Bus, name: StreamName) -> PublishedBook:
    """A book that can be published on `name`, once its writer is opened."""
    return PublishedBook(bus, name)


class Received:
    """A listener that remembers, and can be waited upon."""

    def __init__(self) -> None:
        self.updates: list[Update] = []
        self._more = asyncio.Event()

    def __call__(self, update: Update) -> None:
        """Take an update."""
        self.updates.append(update)
        self._more.set()

    async def until(self, reached: Callable[[], object]) -> None:
        """Wait for updates until a condition holds."""
        async with asyncio.timeout(60):
            while not reached():
                self._more.clear()
                await self._more.wait()

    async def right(self, follower: Follower, last: MessageId) -> None:
        """Wait until a follower is trusted and has everything up to a message."""
        await self.until(lambda: follower.trusted and follower.last is not None and follower.last >= last)

    @property
    def kinds(self) -> list[str]:
        """Return the kinds of what was received, in order."""
        return [update.kind for update in self.updates]


@pytest.fixture
def received() -> Received:
    """A listener that remembers."""
    return Received()


@pytest.fixture
def make_book() -> type[PublishedBook]:
    """Make further books to publish."""
    return PublishedBook


@pytest.fixture
def make_received() -> type[Received]:
    """Make further listeners."""
    return Received


async def _forget(server: EmbeddedServer, keep: float) -> None:
    """Kill a server, take the end off its append-only file, and start it again."""
    await server.kill()
    (log,) = (server.data_dir / "appendonlydir").glob("*.incr.aof")
    content = log.read_bytes()
    log.write_bytes(content[: int(len(content) * keep)])
    await server.restart()


@pytest.fixture
def forget_tail() -> Callable[[EmbeddedServer], Coroutine[Any, Any, None]]:
    """Kill a server and start it again without the newest part of its data, as after a power cut."""
    return lambda server: _forget(server, keep=0.7)


@pytest.fixture
def forget_all() -> Callable[[EmbeddedServer], Coroutine[Any, Any, None]]:
    """Kill a server and start it again with nothing."""
    return lambda server: _forget(server, keep=0)


async def _until(reached: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        for _ in itertools.count():
            if reached():
                return
            await asyncio.sleep(0.005)


@pytest.fixture
def until() -> Callable[[Callable[[], object]], Coroutine[Any, Any, None]]:
    """Wait until a condition holds of which no event tells."""
    return _until
