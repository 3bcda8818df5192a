"""Streams in worker processes: spread, and one worker killed under load."""

import asyncio
import itertools
import os
import signal
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from tests.support.promptness import prompt

from millrace_bus import Bus, Follower, Update
from millrace_core.config import GathererConfig
from millrace_core.heartbeat import Heartbeat
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_gatherer.agent import GathererAgent
from millrace_simulator.server import Server

SYMBOLS = ("ETH/BTC", "BTC/USDT", "KCS/USDT", "SOL/USDT")
BOOK, TRADES = "watchOrderBook", "watchTrades"
PRIVATE = ("watchOrders", "watchMyTrades", "watchBalance")
LIVE_AGAIN_S = prompt(3.0)


def test_what_shares_a_connection_stays_together() -> None:
    """The private streams of an account are in one process, and the streams of several tenants from one feed."""
    accounts = {"binance": {"apiKey": "k", "secret": "s"}, "kucoin": {"apiKey": "k", "secret": "s"}}
    points = [BOOK, TRADES, *PRIVATE]
    plans = [
        {"tenant": tenant, "exchangeId": exchange, "assetPairs": ["A/B", "C/D"], "dataPoints": points}
        for tenant in ("T", "U")
        for exchange in accounts
    ]
    document = {"agent": {"id": "G"}, "exchanges": {"T": accounts, "U": accounts}, "workplans": plans}
    agent = GathererAgent()
    units = agent.units(GathererConfig.model_validate(document))
    groups: dict[str, set[str]] = {}
    for key, unit in units.items():
        groups.setdefault(agent.together(key, unit), set()).add(key)
    private = [members for members in groups.values() if min(members).split(".")[2] in PRIVATE]
    assert sorted(private, key=min) == [
        {key for key in units if key.startswith(f"{account}.") and key.split(".")[2] in PRIVATE}
        for account in ("T.binance", "T.kucoin", "U.binance", "U.kucoin")
    ]
    public = [members for members in groups.values() if members not in private]
    assert all({key[0] for key in members} == {"T", "U"} for members in public)
    assert all(len({key[1:] for key in members}) == 1 for members in public)
    assert len(public) == 2 * 2 * 2


class StreamReader:
    """Reads a stream, and keeps every state of a book that it took for right."""

    def __init__(self, bus: Bus, action: str, symbol: str) -> None:
        self.key = f"T.binance.{action}.{symbol}"
        self.symbol = symbol
        self.updates: list[Update] = []
        self.books: list[tuple[int, Any, Any]] = []
        """Each trusted book: its number, its bids, its asks."""
        self._in_snapshots: set[int] = set()
        name = StreamName(Tenant("T"), ExchangeId("binance"), Action(action), Symbol(symbol))
        self.follower: Follower = bus.follow(name, self._take)

    @property
    def is_live(self) -> bool:
        """Whether both its writer and its reader say that its state is right."""
        return self.follower.trusted and self.follower.status == "live"

    def has_news(self, since: int) -> bool:
        """Tell whether it is live, and has had new data since it had so many messages."""
        return self.is_live and any(update.kind == "delta" for update in self.updates[since:])

    def trade_ids(self) -> list[int]:
        """Return the ids of all trades, ascending.

        A reader that repairs a gap, as at a writer's new epoch, may find trades in a snapshot alone.
        """
        deltas = [int(trade.id) for update in self.updates if update.kind == "delta" for trade in update.data.trades]
        assert len(deltas) == len(set(deltas))
        return sorted(set(deltas) | self._in_snapshots)

    def _take(self, update: Update) -> None:
        self.updates.append(update)
        if TRADES in self.key and update.kind == "snapshot":
            self._in_snapshots |= {int(trade.id) for trade in update.state.trades}
        if BOOK in self.key and update.trusted:
            book = update.state.book
            self.books.append((book.nonce, book.bids.levels(), book.asks.levels()))


@pytest.fixture
async def readers(bus: Bus) -> AsyncIterator[list[StreamReader]]:
    """A reader of each public stream."""
    readers = [StreamReader(bus, action, symbol) for symbol in SYMBOLS for action in (BOOK, TRADES)]
    yield readers
    for reader in readers:
        await reader.follower.close()


async def shows(bus: Bus, holds: Callable[[Heartbeat], Any]) -> Heartbeat:
    """Wait until the gatherer's heartbeat makes it true."""
    async with asyncio.timeout(60):
        while True:
            for beat in await bus.heartbeats():
                if holds(beat):
                    return beat
            await asyncio.sleep(0.02)  # a heartbeat is a key that tells nobody of its change


def all_live(beat: Heartbeat) -> bool:
    """Tell whether all streams are."""
    number = len(SYMBOLS) * 3 + 1
    return [unit.state for unit in beat.units] == ["live"] * number and all(w.state == "live" for w in beat.workers)


async def test_one_killed_worker_takes_nothing_from_the_readers_of_the_others(
    configure: Any, bus: Bus, simulator: Server, process: Any, readers: list[StreamReader]
) -> None:
    """Its streams are live again within 3 s, no book is ever wrong, and no trade is missing."""
    await configure(list(SYMBOLS), [BOOK, TRADES, "watchOrders", "watchBalance"], workers=2)
    await process.start()
    before = await shows(bus, all_live)
    homes = {unit.name: unit.worker for unit in before.units}
    assert len({homes[key] for key in homes if key.split(".")[2] in PRIVATE}) == 1
    assert {homes[reader.key] for reader in readers} == {"1", "2"}
    await until(lambda: all(reader.has_news(5) for reader in readers))
    for worker in before.workers:
        await kill_one(bus, worker.name, readers)
    for reader in readers:
        assert reader.follower.status == "live"
        if TRADES in reader.key:
            ids = reader.trade_ids()
            assert ids == list(range(ids[0], ids[0] + len(ids)))
        else:
            assert_right(reader, simulator)


async def kill_one(bus: Bus, worker: str, readers: list[StreamReader]) -> None:
    """Kill a worker; its streams have to be live again in time, those of the other have to have noticed nothing."""
    beat = await shows(bus, all_live)
    homes = {unit.name: unit.worker for unit in beat.units}
    seen = {reader.key: len(reader.updates) for reader in readers}
    hit = [reader for reader in readers if homes[reader.key] == worker]
    (pid,) = (each.pid for each in beat.workers if each.name == worker)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(LIVE_AGAIN_S):
        await until(lambda: all(is_next_epoch(r, seen[r.key]) and r.has_news(seen[r.key]) for r in hit))
        await shows(bus, lambda beat: all_live(beat) and pid not in [each.pid for each in beat.workers])
    for reader in readers:
        if reader not in hit:
            assert_undisturbed(reader, seen[reader.key])


def assert_undisturbed(reader: StreamReader, seen: int) -> None:
    """Nothing was missed since so many messages: each number follows the one before, and all are said to be right."""
    updates = reader.updates[seen - 1 :]
    assert len(updates) > 1
    assert all(later.id.follows(earlier.id) for earlier, later in itertools.pairwise(updates))
    assert all(update.trusted for update in updates)
    assert {update.data.status for update in updates if update.kind == "status"} <= {"live"}


def is_next_epoch(reader: StreamReader, seen: int) -> bool:
    """Tell whether another writer has taken over since so many messages."""
    return reader.updates[-1].id.epoch > reader.updates[seen - 1].id.epoch


async def until(holds: Callable[[], Any]) -> None:
    """Wait until it is true."""
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.01)


def assert_right(reader: StreamReader, simulator: Server) -> None:
    """Compare the books that a reader took for right with the exchange's own record."""
    instrument = simulator.venue.instruments[reader.symbol.replace("/", "")]
    history = simulator.venue.history
    assert history is not None
    for nonce, bids, asks in reader.books:
        book = history.book_as_of(instrument.symbol, nonce)
        price, quantity = instrument.scale.price, instrument.scale.quantity
        assert bids == [(float(price(p)), float(quantity(q))) for p, q in book.bids], nonce
        assert asks == [(float(price(p)), float(quantity(q))) for p, q in book.asks], nonce
