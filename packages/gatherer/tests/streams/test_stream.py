"""What a stream reports of itself, on a real Redis."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from millrace_bus import Bus
from millrace_core.actions import ACTIONS, StreamAction
from millrace_core.clock import now_ms, now_ns
from millrace_core.config.common import Credentials
from millrace_core.market import Trade
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_exchange import EventTimes, Exchange
from millrace_exchange.profile import ExchangeProfile
from millrace_gatherer.streams import STREAMS, run_stream
from millrace_gatherer.streams.fields import TickerStream
from millrace_gatherer.streams.following import FAILED
from millrace_gatherer.streams.stream import NOT_TAKEN
from millrace_gatherer.streams.trades import OVERLAP_MS, MyTradesStream
from millrace_gatherer.units import StreamUnitConfig
from millrace_service import UnitHealthReporter
from millrace_service.health import ErrorLog

NAME = StreamName(Tenant("T"), ExchangeId("x"), Action("watchTicker"), Symbol("A/B"))


class OneTicker:
    """A market that sends one ticker and then rests."""

    async def fields(self, action: StreamAction, symbol: str, listener: Any) -> None:
        """Send it."""
        listener.fields_changed({"symbol": symbol, "last": 1.0}, EventTimes(None, now_ns()))
        await asyncio.Event().wait()


class Unit:
    """A stream of such a market, and every state that it ever reported."""

    def __init__(self, bus: Bus, retention: int) -> None:
        self.reports: list[tuple[str, str | None]] = []
        self._changed = asyncio.Event()
        self.health = UnitHealthReporter("ticker", changed=self._note, errors=ErrorLog())
        exchange = SimpleNamespace(market=OneTicker(), profile=ExchangeProfile(exchange=ExchangeId("x")))
        unit = StreamUnitConfig(NAME, Credentials(), retention, snapshot_interval_s=60.0, checksum_every=1)
        self.stream = TickerStream(unit, cast(Exchange, exchange), bus, self.health)

    def _note(self) -> None:
        report = self.health.report()
        self.reports.append((report.state, report.detail))
        self._changed.set()

    async def reported(self, state: str) -> None:
        """Wait until a state was reported."""
        async with asyncio.timeout(60):
            while state not in [state for state, _ in self.reports]:
                self._changed.clear()
                await self._changed.wait()


@pytest.fixture
async def running() -> AsyncIterator[Any]:
    """Runs a unit's stream until the test ends."""
    tasks: list[asyncio.Task[None]] = []
    yield lambda unit: tasks.append(asyncio.create_task(run_stream(unit.stream)))
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def test_a_stream_is_live_once_redis_took_what_it_wrote(bus: Bus, running: Any) -> None:
    """The first acknowledged message makes the unit live."""
    unit = Unit(bus, retention=1_000)
    running(unit)
    await unit.reported("live")
    assert unit.health.current_state == "live"


async def test_a_stream_whose_messages_redis_refuses_is_never_live(bus: Bus, running: Any) -> None:
    """A retention beyond Redis' numbers lets the writer connect, then every message is refused, again and again."""
    unit = Unit(bus, retention=10**30)
    running(unit)
    async with asyncio.timeout(60):
        while unit.stream.writer.counters.resent < 3:
            # Nothing reports that a writer was refused once more.
            await asyncio.sleep(0.05)
    assert "live" not in [state for state, _ in unit.reports]
    assert unit.reports[-1] == ("stale", NOT_TAKEN)


async def test_a_stream_that_fails_does_not_say_that_it_was_stopped(bus: Bus) -> None:
    """Its readers may wait for it: the gatherer starts it again."""
    unit, closed = Unit(bus, retention=1_000), asyncio.get_running_loop().create_future()
    may_fail = asyncio.Event()

    async def fields(action: StreamAction, symbol: str, listener: Any) -> None:
        listener.fields_changed({"symbol": symbol, "last": 1.0}, EventTimes(None, now_ns()))
        await may_fail.wait()
        raise TypeError("unforeseen")

    unit.stream.exchange.market.fields = fields  # type: ignore[method-assign]
    follower = bus.follow(NAME, lambda u: closed.set_result(u.data.reason) if u.status == "closed" else may_fail.set())
    with pytest.raises(TypeError, match="unforeseen"):
        await run_stream(unit.stream)
    async with asyncio.timeout(60):
        assert await closed == FAILED
    await follower.close()


class RestingAccount:
    """An account with an old trade, and one that no stream brings: it shows when it is asked for."""

    def __init__(self) -> None:
        self.asked: list[int | None] = []
        self.trades = [trade("1", at_ms=1)]
        self.answered = asyncio.Condition()

    async def my_trades(self, symbol: str, listener: Any, on_subscribed: Any) -> None:
        """Stream nothing."""
        on_subscribed()
        await asyncio.Event().wait()

    async def fetch_my_trades(self, symbol: str, since_ms: int | None = None) -> list[Trade]:
        """Return the trades since a time."""
        async with self.answered:
            self.asked.append(since_ms)
            self.answered.notify_all()
        return [trade for trade in self.trades if (trade.timestamp or 0) >= (since_ms or 0)]

    async def until_asked(self, times: int) -> None:
        """Wait until it was asked so often."""
        async with asyncio.timeout(60), self.answered:
            await self.answered.wait_for(lambda: len(self.asked) >= times)


def trade(trade_id: str, at_ms: int) -> Trade:
    """Return an own trade."""
    return Trade(id=trade_id, timestamp=at_ms, symbol="A/B", side="buy", price=1.0, amount=1.0)


async def test_own_trades_are_asked_for_from_the_last_complete_answer_on(
    bus: Bus, running: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An account that rests is not asked about all the time since its last trade, and what it finds is not a loss."""
    monkeypatch.setattr(MyTradesStream, "poll_s", 0.05)
    account, began_ms = RestingAccount(), now_ms()
    profile = ExchangeProfile(exchange=ExchangeId("x"))
    exchange = SimpleNamespace(
        account=account, profile=profile, poll_interval_s=lambda _action: None, clock_offset_ms=lambda: 0
    )
    name = StreamName(Tenant("T"), ExchangeId("x"), Action("watchMyTrades"), Symbol("A/B"))
    unit = StreamUnitConfig(name, Credentials(), 1_000, snapshot_interval_s=60.0, checksum_every=1)
    health = UnitHealthReporter("trades", changed=lambda: None, errors=ErrorLog())
    running(SimpleNamespace(stream=MyTradesStream(unit, cast(Exchange, exchange), bus, health)))
    await account.until_asked(2)
    account.trades.append(trade("2", at_ms=now_ms()))
    await account.until_asked(5)
    assert account.asked[0] is None
    assert all(began_ms - OVERLAP_MS <= (since_ms or 0) for since_ms in account.asked[1:])
    assert health.report().counters["messages"] == 2
    assert "lost" not in health.report().counters


def test_every_action_has_its_stream() -> None:
    """The registry and the gatherer's classes name the same actions."""
    assert {kind.action.name for kind in STREAMS} == set(ACTIONS)
