"""Positions and liquidations on a real bus, from an exchange of contracts."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from libs.exchange.tests.ccxt.contract_venue import SYMBOL, ContractVenue, contract_venue, liquidation, opened, position

from millrace_bus import Bus, Published, Update
from millrace_core.config.common import Credentials
from millrace_core.contract_states import LiquidationsState
from millrace_core.market import Liquidation
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_exchange import Exchange
from millrace_gatherer.streams import liquidations, run_stream, stream_of
from millrace_gatherer.units import StreamUnitConfig
from millrace_service import UnitHealthReporter
from millrace_service.health import ErrorLog

TOPIC = "allLiquidation.BTCUSDT"


@pytest.fixture
async def venue() -> AsyncIterator[ContractVenue]:
    """Run an exchange of contracts."""
    async with contract_venue() as venue:
        yield venue


@pytest.fixture
async def exchange(venue: ContractVenue) -> AsyncIterator[Exchange]:
    """Open it."""
    async with opened(venue) as exchange:
        yield exchange


class Running:
    """A running stream, and its reader."""

    def __init__(self, exchange: Exchange, bus: Bus, action: str, symbol: str | None = None) -> None:
        self.health = UnitHealthReporter(action, changed=lambda: None, errors=ErrorLog())
        name = StreamName(Tenant("T"), ExchangeId("bybit"), Action(action), symbol and Symbol(symbol))
        unit = StreamUnitConfig(name, Credentials(), 1_000, snapshot_interval_s=60.0, checksum_every=1)
        self.follower = bus.follow(name, self._take)
        self.deltas: list[Any] = []
        self._arrived = asyncio.Event()
        self.stream: Any = stream_of(unit, exchange, bus, self.health)
        self._task = asyncio.create_task(run_stream(self.stream))

    @property
    def lost(self) -> float:
        """How often something may have been lost."""
        return self.health.report().counters.get("lost", 0)

    async def until(self, holds: Callable[[], Any]) -> None:
        """Wait until something that was read makes it true."""
        async with asyncio.timeout(60):
            while not holds():
                self._arrived.clear()
                await self._arrived.wait()

    async def end(self) -> None:
        """End both."""
        self._task.cancel()
        await asyncio.wait({self._task})
        await self.follower.close()

    def _take(self, update: Update) -> None:
        if update.kind == "delta":
            self.deltas.append(update.data)
        self._arrived.set()


@pytest.fixture
async def run(exchange: Exchange, bus: Bus) -> AsyncIterator[Callable[..., Running]]:
    """Run streams."""
    running: list[Running] = []

    def run(action: str, symbol: str | None = None) -> Running:
        running.append(Running(exchange, bus, action, symbol))
        return running[-1]

    yield run
    for each in running:
        await each.end()


def held(stream: Running) -> dict[str | None, float]:
    """Return the size of each side that a reader knows."""
    return {one.side: one.contracts for one in stream.follower.state.open.values()}  # type: ignore[attr-defined]


def sizes(stream: Running) -> list[float | None]:
    """Return those of the liquidations that a reader knows."""
    return [one.contracts for one in stream.follower.state.liquidations]  # type: ignore[attr-defined]


async def test_positions_are_what_the_exchange_says(run: Any, venue: ContractVenue) -> None:
    """First all that it answers, then what it sends; a closed one is said to be closed, and is gone for readers."""
    venue.held = [position("3"), position("1", "Sell")]
    stream = run("watchPositions")
    await stream.until(lambda: held(stream) == {"long": 3.0, "short": 1.0} and stream.follower.status == "live")
    await venue.subscribed("position")
    await venue.send("position", position("4"))
    await stream.until(lambda: held(stream) == {"long": 4.0, "short": 1.0})
    await venue.send("position", position("0", positionIdx=0))
    await stream.until(lambda: not held(stream))
    assert [(one.side, one.contracts) for one in stream.deltas[-1].positions] == [("long", 0.0), ("short", 0.0)]


async def test_a_position_that_closed_unseen_is_closed(run: Any, venue: ContractVenue) -> None:
    """While no stream ran, and while the connection was cut."""
    venue.held = [position("3"), position("1", "Sell")]
    first = run("watchPositions")
    await first.until(lambda: len(held(first)) == 2)
    await first.end()
    venue.held = [position("3")]
    second = run("watchPositions")
    await second.until(lambda: held(second) == {"long": 3.0})
    await venue.subscribed("position")
    venue.held = []
    await venue.cut()
    await second.until(lambda: not held(second) and second.follower.status == "live")


async def test_liquidations_are_published_once_and_the_loss_counted(
    run: Any, venue: ContractVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing numbers them: what came while the connection was cut cannot be had any more."""
    monkeypatch.setattr(liquidations, "SUBSCRIBED_S", 0.1)
    stream = run("watchLiquidations", SYMBOL)
    await stream.until(lambda: stream.follower.status == "unverified")
    await venue.subscribed(TOPIC)
    await venue.send(TOPIC, liquidation("1"), liquidation("2"))
    await venue.send(TOPIC, liquidation("2"))
    await stream.until(lambda: sizes(stream) == [1.0, 2.0, 2.0])
    assert stream.lost == 0
    await venue.cut()
    await venue.subscribed(TOPIC)
    await venue.send(TOPIC, liquidation("2"))
    await stream.until(lambda: sizes(stream) == [1.0, 2.0, 2.0, 2.0])
    assert stream.lost == 1


async def test_liquidations_that_redis_lost_are_published_again(
    run: Any, venue: ContractVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exchange would not send them again, and its next one may take days: the stream says at once that it holds."""
    monkeypatch.setattr(liquidations, "SUBSCRIBED_S", 0.1)
    running = run("watchLiquidations", SYMBOL)
    await venue.subscribed(TOPIC)
    await venue.send(TOPIC, liquidation("1"), liquidation("2"))
    await running.until(lambda: sizes(running) == [1.0, 2.0])
    stream, deltas = running.stream, len(running.deltas)
    kept = LiquidationsState()
    kept.liquidations.append(stream.take_snapshot("").liquidations[0])
    # As the writer does when it finds the journal shorter than it was.
    stream.stale("fetching the missed data")
    stream.resume(Published(kept, [], 0))
    stream.wake.set()
    await running.until(lambda: len(running.deltas) > deltas and running.follower.status == "unverified")
    assert [one.contracts for one in running.deltas[-1].liquidations] == [2.0]
    assert [one.contracts for one in stream.take_snapshot("").liquidations] == [1.0, 2.0]


async def test_liquidations_that_are_asked_for_are_published_once(run: Any, exchange: Any) -> None:
    """Each answer has the newest; one that does not reach back to the last published shows that some are lost."""
    rows = [{"symbol": SYMBOL, "timestamp": at, "contracts": float(at)} for at in range(10)]
    answers = [rows[:3], rows[:3], [*rows[1:4], rows[3]], rows[3:6], rows[8:]]
    asked = iter(answers)

    async def fetch_liquidations(symbol: str) -> list[dict[str, Any]]:
        return next(asked, answers[-1])

    ccxt = exchange.caller.ccxt
    ccxt.has, ccxt.fetch_liquidations = {**ccxt.has, "watchLiquidations": False}, fetch_liquidations
    exchange.caller.poll_interval_s = 0.01
    stream = run("watchLiquidations", SYMBOL)
    await stream.until(lambda: len(sizes(stream)) == 9)
    assert sizes(stream) == [0.0, 1.0, 2.0, 3.0, 3.0, 4.0, 5.0, 8.0, 9.0]
    assert stream.lost == 1
    assert stream.follower.state.liquidations[0] == Liquidation(symbol=SYMBOL, timestamp=0, contracts=0.0)


async def test_positions_that_are_asked_for_are_closed_too(run: Any, venue: ContractVenue, exchange: Any) -> None:
    """Each answer has all that are held."""
    ccxt = exchange.caller.ccxt
    ccxt.has, exchange.caller.poll_interval_s = {**ccxt.has, "watchPositions": False}, 0.05
    venue.held = [position("3")]
    stream = run("watchPositions")
    await stream.until(lambda: held(stream) == {"long": 3.0} and stream.follower.status == "live")
    venue.held = []
    await stream.until(lambda: not held(stream))
    assert "position" not in venue.topics
