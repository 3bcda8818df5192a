"""A gatherer process behind a relay that can be cut, on each dialect of the simulated exchange."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from millrace_bus import Bus, EmbeddedServer, Follower, Update
from millrace_core.heartbeat import Heartbeat
from millrace_core.ids import BEGINNING
from millrace_core.market import Level
from millrace_core.messages import decode
from millrace_core.names import Action, AgentId, ExchangeId, StreamName, Symbol, Tenant
from millrace_core.states import state_of
from millrace_simulator.config import Limits, SimulatorConfig
from millrace_simulator.listings import SYMBOLS, DialectName
from millrace_simulator.server import Server, serve

AGENT = AgentId("GATHERER")
UNLIMITED = str(Path(__file__).with_name("unlimited_gatherer.py"))
"""A script that runs a gatherer in which no limit of an exchange holds anything back."""
KEYS = {"apiKey": "demo-key", "secret": "demo-secret", "password": "demo-passphrase"}


@pytest.fixture(autouse=True)
def _patient_kucoin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let KuCoin accept what was signed long ago: a busy machine may take longer than its 5 s to send a request."""
    monkeypatch.setattr("millrace_simulator.kucoin.signing.WINDOW_MS", 60_000)


@asynccontextmanager
async def venue(dialect: DialectName) -> AsyncIterator[Server]:
    """A busy exchange of a dialect, which keeps a record."""
    config = SimulatorConfig(
        dialect=dialect,
        symbols=SYMBOLS[dialect],
        events_per_second=300,
        depth_interval_ms=50,
        record=True,
        limits=Limits(enforce=False),
    )
    async with await serve(config) as server:
        yield server


class Gatherer:
    """A gatherer's process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.pid = process.pid
        self._process = process

    async def end(self) -> int:
        """End it in order, as an operator does; return its exit code."""
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        return await self._process.wait()


@pytest.fixture
async def start(redis: EmbeddedServer, tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """A function that starts a gatherer's process: the service itself, or a script in its place."""
    started: list[Gatherer] = []

    async def start(*command: str) -> Gatherer:
        environ = {**os.environ, "MILLRACE_REDIS_URL": redis.url}
        options = ("--agent-id", AGENT, "--die-with-parent", str(os.getpid()))
        with (tmp_path / "gatherer.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, *(command or ("-m", "millrace_gatherer")), *options, env=environ, stdout=log, stderr=log
            )
        started.append(Gatherer(process))
        return started[-1]

    yield start
    for gatherer in started:
        await gatherer.end()


class Watch:
    """Follows one stream: what its readers see of it."""

    def __init__(self, bus: Bus, exchange: str, action: str, symbol: str | None, tenant: str) -> None:
        name = StreamName(Tenant(tenant), ExchangeId(exchange), Action(action), symbol and Symbol(symbol))
        self.breaks = 0
        """How often it stopped being live."""
        self.was_live = False
        self.deltas = 0
        self.epoch = 0
        self.pauses_s: list[float] = []
        """How long it was not live each time."""
        self.reasons: list[str | None] = []
        self.books: list[tuple[int | None, list[Level], list[Level]]] = []
        """Every book that was said to be right: its number, its bids, its asks."""
        self._broke_s = 0.0
        self._changed = asyncio.Event()
        self.follower: Follower = bus.follow(name, self._take)

    @property
    def is_live(self) -> bool:
        """Whether both its writer and its reader say that its state is right."""
        return self.follower.trusted and self.follower.status == "live"

    async def until(self, holds: Callable[["Watch"], Any], limit_s: float = 60) -> None:
        """Wait until something that was read makes it true."""
        try:
            async with asyncio.timeout(limit_s):
                while not holds(self):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            name, follower = self.follower.name, self.follower
            seen = f"{follower.status}, trusted {follower.trusted}, {self.breaks} breaks, {self.reasons[-3:]}"
            raise AssertionError(f"{name}: not within {limit_s:g} s: {seen}") from None

    def _take(self, update: Update) -> None:
        self.deltas += update.kind == "delta"
        self.epoch = update.id.epoch
        if update.kind == "status" and update.data.status != "live":
            self.reasons.append(update.data.reason)
        if self.is_live and self.follower.name.action == "watchOrderBook":
            book = update.state.book
            self.books.append((book.nonce, book.bids.levels(), book.asks.levels()))
        if self.was_live != self.is_live:
            self._turn()
        self._changed.set()

    def _turn(self) -> None:
        now_s = asyncio.get_running_loop().time()
        if self.was_live:
            self.breaks += 1
            self._broke_s = now_s
        elif self._broke_s:
            self.pauses_s.append(now_s - self._broke_s)
        self.was_live = self.is_live


@pytest.fixture
async def watch(bus: Bus) -> AsyncIterator[Callable[..., Watch]]:
    """A function that opens a watch on a stream."""
    watches: list[Watch] = []

    def watch(exchange: str, action: str, symbol: str | None = None, tenant: str = "T") -> Watch:
        watches.append(Watch(bus, exchange, action, symbol, tenant))
        return watches[-1]

    yield watch
    for each in watches:
        await each.follower.close()


def account(base: str, **settings: Any) -> dict[str, Any]:
    """The account of the simulated exchange."""
    return {**KEYS, "urls": {"base": base}, **settings}


async def configure(bus: Bus, exchange: str, keys: dict[str, Any], *plans: dict[str, Any], **fields: Any) -> None:
    """Write the gatherer's configuration: plans of one tenant on one exchange."""
    workplans = [{"tenant": "T", "exchangeId": exchange, **plan} for plan in plans]
    exchanges = {"T": {exchange: keys}}
    config = {"agent": {"id": AGENT}, "exchanges": exchanges, "workplans": workplans, **fields}
    await bus.put_config(AGENT, json.dumps(config))


async def trade_ids(bus: Bus, watch: Watch) -> list[int]:
    """The ids of all trades in a journal, over all epochs."""
    name = watch.follower.name
    async with bus.journals() as journals:
        found = await journals.read({str(name): BEGINNING}, most=100_000)
    messages = [decode(entry.body or b"") for entry in found[str(name)]]
    deltas = [state_of(name.action).apply(message.data) for message in messages if message.type == "delta"]
    return [int(trade.id) for delta in deltas for trade in delta.trades]


async def shows(bus: Bus, holds: Callable[[Heartbeat], Any], limit_s: float = 40) -> Heartbeat:
    """Wait until the gatherer's heartbeat makes it true."""
    last: Heartbeat | None = None
    ends_s = asyncio.get_running_loop().time() + limit_s
    while asyncio.get_running_loop().time() < ends_s:
        for last in await bus.heartbeats():
            if holds(last):
                return last
        await asyncio.sleep(0.05)  # a heartbeat is a key that tells nobody of its change
    waiting = [] if last is None else [(unit.name, unit.detail) for unit in last.units if unit.state != "live"]
    raise AssertionError((waiting, last and last.config_errors))


def assert_right(watch: Watch, server: Server) -> None:
    """Compare the books that a reader was told are right with the exchange's own record."""
    symbol = str(watch.follower.name.symbol)
    instrument = next(
        each for each in server.venue.instruments.values() if each.symbol.replace("-", "") == symbol.replace("/", "")
    )
    price, quantity = instrument.scale.price, instrument.scale.quantity
    assert server.venue.history is not None
    assert watch.books
    for nonce, bids, asks in watch.books:
        assert nonce is not None
        book = server.venue.history.book_as_of(instrument.symbol, nonce)
        assert bids == [(float(price(p)), float(quantity(q))) for p, q in book.bids][: len(bids)], nonce
        assert asks == [(float(price(p)), float(quantity(q))) for p, q in book.asks][: len(asks)], nonce
