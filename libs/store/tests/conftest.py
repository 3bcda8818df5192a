"""Both databases, real: each test has one of its own, and what is promised is asked of each."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from random import Random

import asyncpg
import pytest
import pytest_asyncio
import sqlalchemy as sa

from millrace_core.book import OrderBook
from millrace_core.ids import MessageId
from millrace_core.market import BookDelta, BookSnapshot, Trade
from millrace_core.messages import encode
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_store import Place, Store
from millrace_store.schema import tables
from millrace_store.testing import PostgresServer

START_MS = 1_760_000_040_000
"""A whole minute."""


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres(postgres: PostgresServer) -> PostgresServer:
    """A server for all tests that do it no harm; its first database is up to date."""
    async with Store.open(postgres.url):
        pass
    return postgres


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database of SQLite, to be copied: making its tables takes longer than many a test."""
    path = tmp_path_factory.mktemp("database") / "empty.db"
    async with Store.open(f"sqlite:///{path}"):
        pass
    return path


@pytest.fixture(params=["sqlite", "postgres"])
def server(request: pytest.FixtureRequest) -> PostgresServer | None:
    """The server of this test; None where it is the turn of SQLite."""
    found: PostgresServer | None = request.getfixturevalue("postgres") if request.param == "postgres" else None
    return found


@pytest.fixture
async def url(server: PostgresServer | None, empty: Path, tmp_path: Path) -> str:
    """The address of an empty database, up to date, one of each kind in turn."""
    if server is not None:
        # To empty a database takes a tenth of the time that a new one takes.
        connection = await asyncpg.connect(server.url)
        for table in vars(tables).values():
            if isinstance(table, sa.TableClause):
                await connection.execute(f"DELETE FROM {table.name}")
        await connection.close()
        return server.url
    shutil.copy(empty, tmp_path / "store.db")
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    """The store of this test."""
    async with Store.open(url) as store:
        yield store


def name_of(action: str, symbol: str | None = "KCS/USDT", tenant: str = "T", exchange: str = "kucoin") -> StreamName:
    return StreamName(Tenant(tenant), ExchangeId(exchange), Action(action), None if symbol is None else Symbol(symbol))


@pytest.fixture
def name() -> Callable[..., StreamName]:
    """Make the name of a stream."""
    return name_of


class Journal:
    """A journal in small: numbers the messages of one stream, 10 ms apart."""

    def __init__(self, name: StreamName | str, epoch: int = START_MS) -> None:
        self.name, self.epoch, self.seq = str(name), epoch, 0

    def next(self, at_ms: int | None = None) -> Place:
        """Return the place of the next message."""
        self.seq += 1
        published = self.epoch + 10 * self.seq if at_ms is None else at_ms
        return Place(self.name, MessageId(self.epoch, self.seq), published, published)


@pytest.fixture
def journal() -> type[Journal]:
    """Make a journal."""
    return Journal


def make_trades(at_ms: int, *prices_and_amounts: tuple[float, float]) -> list[Trade]:
    return [
        Trade(id=f"{at_ms}.{n}", timestamp=at_ms, symbol="KCS/USDT", side="buy", price=price, amount=amount)
        for n, (price, amount) in enumerate(prices_and_amounts)
    ]


@pytest.fixture
def trades() -> Callable[..., list[Trade]]:
    """Make trades of one moment from pairs of price and amount."""
    return make_trades


class BookHistory:
    """A gatherer in small: a book that changes at random, its messages, and every state that it had."""

    def __init__(self, store: Store, epoch: int = START_MS, seed: int = 1) -> None:
        self.name = name_of("watchOrderBook")
        self.book = OrderBook()
        self.book.nonce = 0
        self.states: list[tuple[Place, int, list[tuple[float, float]], list[tuple[float, float]]]] = []
        self._store, self._random = store, Random(seed)
        self._deltas, self._snapshots = Journal(self.name, epoch), Journal(self.name.snapshot, epoch)

    async def play(self, messages: int, *, snapshots_every: int = 100, leave_out: Sequence[int] = ()) -> None:
        """Store so many messages of a changing book."""
        async with self._store.batch() as batch:
            for _ in range(messages):
                if self._deltas.seq % snapshots_every == 0:
                    as_of = MessageId(self._deltas.epoch, self._deltas.seq)
                    at_ms = self._deltas.epoch + 10 * self._deltas.seq
                    batch.snapshot(self._snapshots.next(at_ms), as_of, self._snapshot(as_of), nonce=self.book.nonce)
                place = self._deltas.next()
                delta = self._change(place.id.seq)
                self.states.append((place, delta.nonce or 0, self.book.bids.levels(), self.book.asks.levels()))
                if place.id.seq not in leave_out:
                    batch.book_delta(place, encode(delta), delta.nonce)

    def _snapshot(self, as_of: MessageId) -> bytes:
        book = self.book
        whole = BookSnapshot(book.bids.levels(), book.asks.levels(), str(as_of), book.checksum(), book.nonce)
        return encode(whole)

    def _change(self, seq: int) -> BookDelta:
        bids = [(round(100 - self._random.random() * 5, 2), float(self._random.randint(0, 5)))]
        asks = [(round(101 + self._random.random() * 5, 2), float(self._random.randint(0, 5)))]
        self.book.apply(bids, asks, 3 * seq)
        return BookDelta(bids, asks, 3 * seq, self.book.checksum() if seq % 7 == 0 else None)


@pytest.fixture
def book_history() -> type[BookHistory]:
    """Make the history of a book."""
    return BookHistory


@pytest.fixture
async def killable() -> AsyncIterator[PostgresServer]:
    """A server for one test, to be killed; it syncs to disk as a real one does."""
    # Started by root, PostgreSQL runs as another user, whom every start of pytest shuts out of its own folders.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        async with await PostgresServer.start(Path(folder) / "data", fsync="on") as server:
            yield server
