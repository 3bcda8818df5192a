"""Subscriptions that nobody feeds are named, with what exists that is near."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from millrace_bus import Bus, StreamWriter
from millrace_bus.reading import follower
from millrace_core.heartbeat import Heartbeat, UnitHealth
from millrace_core.market import TradesSnapshot
from millrace_core.names import PUBLIC, Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_magicbox import subscription_watch

TENANT, EXCHANGE, SYMBOL = Tenant("StrankaXY"), ExchangeId("binance"), Symbol("KCS/USDT")
OWN = StreamName(TENANT, EXCHANGE, Action("watchTrades"), SYMBOL)
SHARED = OWN._replace(tenant=PUBLIC)
TRADES = {"exchangeId": EXCHANGE, "symbol": SYMBOL, "dataPoint": "watchTrades"}
WATCHER = {"pluginName": "Watcher"}
Open = Callable[[StreamName], Awaitable[StreamWriter]]


@pytest.fixture(autouse=True)
def watcher(magicbox: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a strategy into the plugin folder, and look sooner and more often than is usual."""
    text = "from millrace_strategy import Strategy\nclass Watcher(Strategy): pass\n"
    (magicbox.folder / "watcher.py").write_text(text)
    monkeypatch.setattr(subscription_watch, "FIRST_LOOK_S", 0.2)
    monkeypatch.setattr(subscription_watch, "LOOK_AGAIN_S", 0.1)


@pytest.fixture
async def open_stream(bus: Bus) -> AsyncIterator[Open]:
    """Begin to write a stream of trades, as a gatherer does."""
    async with AsyncExitStack() as writers:

        async def begin(name: StreamName) -> StreamWriter:
            writer = bus.writer(name, lambda as_of: TradesSnapshot([], str(as_of)))
            await writer.open()
            writers.push_async_callback(writer.close)
            return writer

        yield begin


async def _gatherer(bus: Bus, *units: UnitHealth) -> None:
    await bus.heartbeat(Heartbeat("GATHERER", "gatherer", "running", 1, 1, 1, "1", units=list(units)))


async def test_a_forgotten_is_public_is_named(magicbox: Any, open_stream: Open, bus: Bus) -> None:
    """The unit is stale, its detail and an error say what was probably meant; once fed, the strategy is live."""
    await _gatherer(bus)
    await open_stream(SHARED)
    await magicbox.start(WATCHER, subscriptions=[TRADES])
    unit = await magicbox.unit_in_state("Watcher", "stale", "live")
    expected = f"{OWN} has no writer; did you mean {SHARED} (isPublic: true)?"
    assert (unit.state, unit.detail) == ("stale", expected)
    errors = [each.message for each in (await magicbox.heartbeat()).last_errors]
    assert errors == [expected]
    await open_stream(OWN)
    assert (await magicbox.unit_in_state("Watcher", "live")).detail is None


async def test_before_a_gatherer_runs_nothing_is_wrong_yet(
    magicbox: Any, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When all services start at once, a stream without a writer is named, and an error only at the second look."""
    monkeypatch.setattr(subscription_watch, "LOOK_AGAIN_S", 60.0)
    await magicbox.start(WATCHER, subscriptions=[TRADES])
    unit = await magicbox.unit_in_state("Watcher", "stale", "live")
    assert unit.detail == f"{OWN} has no writer"
    assert (await magicbox.heartbeat()).last_errors == []


async def test_what_is_near_is_found_when_it_begins_later(magicbox: Any, open_stream: Open) -> None:
    """As when all services start at once: a private feed is suggested to who asked for a public one."""
    await magicbox.start(WATCHER, subscriptions=[TRADES | {"isPublic": True}])
    unit = await magicbox.unit_in_state("Watcher", "stale", "live")
    assert unit.detail == f"{SHARED} has no writer"
    await open_stream(OWN)
    async with asyncio.timeout(60):
        while not (await magicbox.heartbeat()).last_errors:
            await asyncio.sleep(0.02)
        while "isPublic: false" not in (await magicbox.unit_in_state("Watcher", "stale")).detail:
            await asyncio.sleep(0.02)


async def test_a_stream_that_an_agent_is_about_to_write_is_no_error(magicbox: Any, bus: Bus) -> None:
    """The detail says which agent has it, and how that goes."""
    unit = UnitHealth(str(OWN).removeprefix("stream."), "failed", 1, "OSError: no route")
    await _gatherer(bus, unit)
    await magicbox.start(WATCHER, subscriptions=[TRADES])
    found = await magicbox.unit_in_state("Watcher", "stale", "live")
    assert found.detail == f"{OWN} has not begun: GATHERER has it failed, OSError: no route"
    assert (await magicbox.heartbeat()).last_errors == []


async def test_a_stream_that_loses_its_writer_is_named(
    magicbox: Any, open_stream: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The strategy is stale until the stream is written again."""
    monkeypatch.setattr(follower, "DEAD_AFTER_S", 0.1)
    writer = await open_stream(OWN)
    await magicbox.start(WATCHER, subscriptions=[TRADES])
    await magicbox.unit_in_state("Watcher", "live")
    await writer.close()
    unit = await magicbox.unit_in_state("Watcher", "stale")
    assert unit.detail == f"{OWN} has lost its writer: no message for 10 s"
    await open_stream(OWN)
    await magicbox.unit_in_state("Watcher", "live")


async def test_a_strategy_without_subscriptions_is_live(magicbox: Any) -> None:
    """It may work by its timers alone."""
    await magicbox.start(WATCHER, subscriptions=[])
    await magicbox.unit_in_state("Watcher", "live")
