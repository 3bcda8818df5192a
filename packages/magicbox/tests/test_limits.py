"""A strategy beyond its limits is stopped and says why; its orders are cancelled if it is configured so."""

import asyncio
import os
import pickle
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from millrace_bus import Bus, EmbeddedServer
from millrace_core.clock import now_ms
from millrace_core.config import MagicboxConfig
from millrace_core.heartbeat import Heartbeat
from millrace_core.names import ExchangeId, Symbol, Tenant
from millrace_core.orders import Order, OrderRecord
from millrace_core.requests import CancelOrder, CreateOrder, CreatePayload, Halt
from millrace_magicbox import MagicboxAgent, order_canceller, strategy_run
from millrace_magicbox.plan import StrategyPlan, plans
from millrace_service import heartbeat_sender

TENANT, EXCHANGE, KCS, ETH = Tenant("StrankaXY"), ExchangeId("binance"), Symbol("KCS/USDT"), Symbol("ETH/USDT")

LIMITED = '''
import asyncio
import time
from millrace_strategy import Strategy


class Faulty(Strategy):
    """Fails at every second book."""

    seen = 0

    def on_order_book(self, event):
        self.seen += 1
        if self.seen % 2:
            raise ValueError("mine")


class Slow(Strategy):
    """Waits for ever at the first of its timers."""

    def on_start(self, event):
        for number in range(5):
            self.after(1)

    async def on_timer(self, event):
        await asyncio.Event().wait()


class Sleepy(Strategy):
    """Takes long for its books."""

    def on_order_book(self, event):
        time.sleep(0.12)


class Buyer(Strategy):
    """Buys in two symbols, and fails at the first book with prices after its orders are open."""

    tolerated_errors = 1

    def on_start(self, event):
        for symbol in ("KCS/USDT", "ETH/USDT"):
            self.trader.create_order(exchange="binance", symbol=symbol, side="buy", type="limit", amount=2, price=9)

    def on_order_book(self, event):
        if len(self.orders.open) == 2:
            raise ValueError("mine")


class Looping(Buyer):
    """Never returns once its orders are open."""

    def on_order_book(self, event):
        while len(self.orders.open) == 2:
            pass


class Stuck(Buyer):
    """Its last hook never returns."""

    async def on_stop(self, event):
        await asyncio.Event().wait()


class Late(Buyer):
    """Its last hook orders once more when nobody expects it."""

    async def on_stop(self, event):
        await asyncio.sleep(0.5)
        self.on_start(event)
'''


@pytest.fixture
def books(magicbox: Any, venue: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Heartbeat], bool]], Any]:
    """Return a function that feeds books until a heartbeat is as wanted, and returns that."""
    monkeypatch.setattr(heartbeat_sender, "HEARTBEAT_INTERVAL_S", 0.2)
    (magicbox.folder / "limited.py").write_text(LIMITED)

    async def until(condition: Callable[[Heartbeat], bool]) -> Heartbeat:
        async with asyncio.timeout(60):
            for number in range(10_000):
                venue.tell_book(9.98, 10.03 + number / 100)
                beat = await magicbox.heartbeat()
                if beat is not None and beat.units and condition(beat):
                    return beat  # type: ignore[no-any-return]
                await asyncio.sleep(0.02)
        raise AssertionError("the heartbeat never came to that")

    return until


def configured(name: str, **limits: object) -> dict[str, Any]:
    return {"pluginName": name, "limits": limits}


def order(order_id: str, symbol: Symbol, source: str | None, status: str = "open") -> OrderRecord:
    made = Order(id=order_id, symbol=symbol, status=status, timestamp=now_ms())
    return OrderRecord(made, EXCHANGE, now_ms(), order_source=source)


async def test_a_strategy_that_raises_too_often_is_stopped_with_cause_and_traceback(magicbox: Any, books: Any) -> None:
    """It stays `stopped`, and does not count as failed; every second event succeeded."""
    await magicbox.start(configured("Faulty", errorsPerMinute=3))
    beat = await books(lambda beat: beat.units[0].state == "stopped")
    (unit,) = beat.units
    assert "4 errors within 60 s, of which 3 are tolerated, the last ValueError('mine')" in unit.detail
    assert (unit.counters["hookErrors"], unit.counters.get("failures")) == (4, None)
    tracebacks = [error.traceback for error in beat.last_errors if error.traceback]
    assert 'raise ValueError("mine")' in tracebacks[-1]
    assert "4 errors within 60 s" in beat.last_errors[-1].message


async def test_a_stopped_strategy_follows_no_stream_any_more(magicbox: Any, books: Any, server: EmbeddedServer) -> None:
    """It takes nothing from the others."""
    await magicbox.start(configured("Faulty", errorsPerMinute=3))
    await books(lambda beat: beat.units[0].state == "stopped")
    async with Redis.from_url(server.url, decode_responses=True) as redis, asyncio.timeout(60):
        while any("stream." in channel for channel in await redis.pubsub_channels()):
            await asyncio.sleep(0.02)


async def test_the_heartbeat_names_slow_hooks(magicbox: Any, books: Any) -> None:
    """How long each hook takes, the slowest of each, and in words, once a minute, what was slow."""
    await magicbox.start(configured("Sleepy"))

    def measured(beat: Heartbeat) -> bool:
        return beat.units[0].latencies.get("on_order_book", {}).get("count", 0) >= 3

    beat = await books(measured)
    (unit,) = beat.units
    assert unit.latencies["on_order_book"]["p50"] == pytest.approx(120, rel=0.2)
    assert 120 <= unit.counters["slowestMs.on_order_book"] < 1_000
    (slow,) = [error.message for error in beat.last_errors if "took" in error.message]
    assert slow.startswith("on_order_book took 1")
    assert "BookEvent binance KCS/USDT" in slow


async def test_the_heartbeat_shows_how_many_events_wait(magicbox: Any, books: Any) -> None:
    """A hook that waits for ever holds up the others, until it is cut off at its limit and the strategy stopped."""
    await magicbox.start(configured("Slow", eventMs=2_500))
    await books(lambda beat: beat.units[0].counters.get("waiting", 0) >= 4)
    beat = await books(lambda beat: any("not returned" in error.message for error in beat.last_errors))
    assert beat.last_errors[0].message.startswith("on_timer has not returned after")
    beat = await books(lambda beat: beat.units[0].state == "stopped" and beat.units[0].counters["waiting"] == 0)
    assert "on_timer took 25" in beat.units[0].detail
    assert "its limit is 2500 ms" in beat.units[0].detail


@pytest.mark.parametrize("name", ["Buyer", "Stuck", "Late"])
async def test_the_orders_of_a_stopped_strategy_are_cancelled(
    magicbox: Any, venue: Any, books: Any, bus: Bus, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each open order of its own, in whatever symbol, even if `on_stop` hangs; nobody else's."""
    monkeypatch.setattr(strategy_run, "LAST_HOOK_LIMIT_S", 0.1)
    await bus.orders.merge(TENANT, order("78", KCS, "James"))
    await magicbox.start(configured(name, cancelsOrders=True))
    open_orders = {}
    for _ in range(2):
        request = await venue.next_request()
        open_orders[request.payload.symbol] = venue.order_of(request, "77")
        await venue.answer(request, open_orders[request.payload.symbol])
    await books(lambda beat: beat.units[0].state == "stopped")
    for _ in range(2):
        cancel = await venue.next_request()
        assert isinstance(cancel, CancelOrder)
        assert (cancel.exchange_id, cancel.payload.order_id, cancel.payload.order_source) == (EXCHANGE, "77", name)
        await venue.tell_order(open_orders.pop(cancel.payload.symbol), status="canceled")
    assert open_orders == {}
    stopped = await magicbox.unit_in_state(name, "stopped")
    assert stopped.detail.startswith(f"{name} was stopped after 1 errors")
    await asyncio.sleep(0.6)  # longer than the last hook of Late would wait
    await bus.requests.send(TENANT, Halt())
    assert isinstance(await venue.next_request(), Halt)


@pytest.fixture
async def process(magicbox: Any, books: Any, server: EmbeddedServer) -> AsyncIterator[None]:
    """Run magicbox as a process of its own, in which each strategy has a worker."""
    arguments = ("--agent-id", "MAGICBOX", "--redis-url", server.url, "--plugin-dir", str(magicbox.folder))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "millrace_magicbox", *arguments, "--die-with-parent", str(os.getpid()))
    )
    yield
    process.terminate()
    assert await process.wait() == 0


@pytest.mark.usefixtures("process")
async def test_a_strategy_that_never_returns_is_killed_and_its_orders_are_cancelled(
    magicbox: Any, venue: Any, books: Any
) -> None:
    """Its process is ended; magicbox's own cancels what the strategy left, and the unit says why."""
    await magicbox.configure(configured("Looping", cancelsOrders=True, stallSeconds=2))
    open_orders = {}
    for _ in range(2):
        request = await venue.next_request()
        open_orders[request.payload.symbol] = venue.order_of(request, "77")
        await venue.answer(request, open_orders[request.payload.symbol])
    beat = await books(lambda beat: beat.units[0].state == "stopped")
    assert "stood still" in beat.units[0].detail
    for _ in range(2):
        cancel = await venue.next_request()
        assert isinstance(cancel, CancelOrder)
        assert (cancel.payload.order_id, cancel.payload.order_source) == ("77", "Looping")
        await venue.tell_order(open_orders.pop(cancel.payload.symbol), status="canceled")


def plan_of(**limits: object) -> StrategyPlan:
    subscription = {"exchangeId": EXCHANGE, "symbol": KCS, "dataPoint": "watchOrderBook"}
    workplan = {"tenant": TENANT, "plugins": [configured("Buyer", **limits)], "subscriptions": [subscription]}
    (plan,) = plans(MagicboxConfig.model_validate({"agent": {"id": "M"}, "workplans": [workplan]})).values()
    return plan


@pytest.mark.parametrize("cancels", [True, False])
async def test_the_orders_of_a_killed_strategy_are_cancelled(
    venue: Any, bus: Bus, cancels: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are found in Redis: those that are its own and open, in symbols that it subscribes to or has traded."""
    monkeypatch.setattr(order_canceller, "PAUSES_S", (0.0,))
    monkeypatch.setattr(order_canceller, "DONE_AFTER_S", 0.0)
    for record in (
        order("77", KCS, "Buyer"),
        order("78", KCS, "Buyer", "closed"),
        order("79", KCS, "James"),
        order("80", KCS, None),
        order("77", ETH, "Buyer"),
    ):
        await bus.orders.merge(TENANT, record)
    # What the executor leaves of a request in a symbol that is not subscribed to: the stream of its answer.
    payload = CreatePayload(symbol=ETH, side="buy", type="limit", order_source="Buyer")
    await venue.answer(CreateOrder(request_id="a" * 32, payload=payload), None)
    agent = MagicboxAgent(None)
    with capture_logs() as logs:
        await agent.unit_stopped(bus, "StrankaXY.Buyer", plan_of(cancelsOrders=cancels))
    await bus.requests.send(TENANT, Halt())
    requests = []
    while not isinstance(request := await venue.next_request(), Halt):
        requests.append((type(request), request.exchange_id, request.payload.symbol, request.payload.order_id))
        assert request.valid_for == 60_000
    wanted = [(CancelOrder, EXCHANGE, ETH, "77"), (CancelOrder, EXCHANGE, KCS, "77")] if cancels else []
    assert requests == wanted
    # Nobody has cancelled them.
    (left,) = [entry for entry in logs if entry["event"] == "an order cannot be cancelled"] or [None]
    assert left is None or left["unit"] == "StrankaXY.Buyer"
    assert left is None or "binance ETH/USDT 77, binance KCS/USDT 77" in left["cause"]
    assert (left is not None) == cancels


async def test_an_order_that_appears_later_is_cancelled_too(
    venue: Any, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that was under way when its strategy was killed makes an order afterwards."""
    monkeypatch.setattr(order_canceller, "PAUSES_S", (0.0, 0.5))
    monkeypatch.setattr(order_canceller, "DONE_AFTER_S", 0.0)
    first, later = order("1", KCS, "Buyer"), order("2", KCS, "Buyer")
    await bus.orders.merge(TENANT, first)
    cancelling = asyncio.create_task(MagicboxAgent(None).unit_stopped(bus, "", plan_of(cancelsOrders=True)))
    assert (await venue.next_request()).payload.order_id == "1"
    canceled = msgspec.structs.replace(first.order, status="canceled")
    await bus.orders.merge(TENANT, OrderRecord(canceled, EXCHANGE, now_ms()))
    await bus.orders.merge(TENANT, later)
    assert (await venue.next_request()).payload.order_id == "2"
    await cancelling


def test_the_agent_travels_to_a_worker_with_its_limits() -> None:
    """It is copied before `started`; a strategy beyond its limits stays stopped, and other limits restart it."""
    agent: MagicboxAgent = pickle.loads(pickle.dumps(MagicboxAgent(Path("strategies"))))  # noqa: S301 - our own
    limits = agent.limits(plan_of(memoryMb=100, stallSeconds=2))
    assert (limits.memory_mb, limits.stall_s, limits.stops) == (100, 2, True)
    plan: StrategyPlan = pickle.loads(pickle.dumps(plan_of(memoryMb=100)))  # noqa: S301 - our own
    assert plan == plan_of(memoryMb=100)
    assert plan != plan_of(memoryMb=200)
