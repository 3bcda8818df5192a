import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from millrace_bus import Bus, EmbeddedServer
from millrace_core.names import ExchangeId, Symbol, Tenant, order_key
from millrace_core.orders import OrderKey
from millrace_core.requests import CancelOrder, CreateOrder
from millrace_magicbox import order_gateway
from millrace_strategy import BookEvent, LocalBook, ResponseEvent, StopEvent, Strategy

EXAMPLES = Path(__file__).parents[3] / "examples" / "strategies"
TENANT, EXCHANGE, SYMBOL = Tenant("StrankaXY"), ExchangeId("binance"), Symbol("KCS/USDT")
PING_PONG = {"pluginName": "PingPong", "configuration": {"amount": 2, "maximumThresholdMs": 300, "backoffMs": 20}}

SPY = '''
import asyncio
from millrace_strategy import Strategy


class Spy(Strategy):
    """Buys when asked to, and notes everything."""

    newest = None

    def __init__(self, context):
        super().__init__(context)
        Spy.newest = self
        self.events = []
        self.news = asyncio.Event()

    def handle(self, event):
        self.events.append(event)
        self.news.set()

    def buy(self, symbol="KCS/USDT", valid_for_ms=5000):
        return self.trader.create_order(
            exchange="binance", symbol=symbol, side="buy", type="limit", amount=2, price=10, valid_for_ms=valid_for_ms
        )


class Quick(Spy):
    """Buys at its first book."""

    def on_order_book(self, event):
        if event.book.mid is not None and not self.trader.pending and not self.orders:
            self.buy()
'''

FAULTY = '''
from millrace_strategy import Strategy


class Faulty(Strategy):
    """Raises at every book."""

    tolerated_errors = 2

    def on_order_book(self, event):
        raise ValueError("mine")
'''


CANCELS_ITSELF = '''
import asyncio
from millrace_strategy import Strategy


class CancelsItself(Strategy):
    """Cancels the task in which its hook runs, the first time."""

    lives = 0

    async def on_order_book(self, event):
        CancelsItself.lives += 1
        if CancelsItself.lives == 1:
            asyncio.current_task().cancel()
        await asyncio.sleep(0)
'''


@pytest.fixture
def spies(magicbox: Any) -> Callable[[], Any]:
    """Put the spy into the plugin folder; return a function that returns the running one."""
    (magicbox.folder / "spy.py").write_text(SPY)
    return lambda: vars(sys.modules["millrace_plugin_spy"])["Spy"].newest


def ids(orders: Any) -> list[str]:
    return [order.id for order in orders]


async def saw(strategy: Any, condition: Callable[[Strategy], Any]) -> Any:
    """Wait, event by event, until a condition holds for a strategy, and return its value."""
    async with asyncio.timeout(60):
        while not (result := condition(strategy)):
            strategy.news.clear()
            await strategy.news.wait()
    return result


async def test_the_whole_way_of_an_order(magicbox: Any, venue: Any, bus: Bus, spies: Any) -> None:
    """A book leads to a request with its trace; answer and later fill make the order that the strategy sees."""
    await magicbox.start({"pluginName": "Quick"})
    await magicbox.unit_in_state("Quick", "live")
    venue.tell_book(9.98, 10.03)
    request = await venue.next_request()
    assert isinstance(request, CreateOrder)
    assert request.payload.order_source == "Quick"
    hops = request.trace
    assert hops.exchange == 1
    assert (hops.published or 0) <= (hops.delivered or 0) <= (hops.decided or 0)
    order = venue.order_of(request, "77")
    await venue.answer(request, order)
    spy = spies()
    await saw(spy, lambda spy: ids(spy.orders.open) == ["77"])
    answer = await saw(spy, lambda spy: [e for e in spy.events if type(e).__name__ == "ResponseEvent"])
    assert answer[0].trace == request.trace
    await venue.tell_order(order, filled=Decimal(1))
    await saw(spy, lambda spy: spy.orders[EXCHANGE, SYMBOL, "77"].filled == 1)
    assert ids(spy.orders.open) == ["77"]
    await venue.tell_order(order, filled=Decimal(2), status="closed")
    await saw(spy, lambda spy: ids(spy.orders.open) == [])
    record = await bus.orders.get(TENANT, "77")
    assert record is not None
    assert (record.order_source, record.request_id, record.order.filled) == ("Quick", request.request_id, 2)


async def test_an_update_that_overtakes_the_answer(magicbox: Any, venue: Any, spies: Any) -> None:
    """The gatherer reports a filled order first; when the answer names its source, the fill is there."""
    await magicbox.start({"pluginName": "Quick"})
    await magicbox.unit_in_state("Quick", "live")
    venue.tell_book(9.98, 10.03)
    request = await venue.next_request()
    order = venue.order_of(request, "77")
    await venue.tell_order(order, filled=Decimal(2), status="closed")
    await venue.answer(request, order)
    spy = spies()
    await saw(spy, lambda spy: (EXCHANGE, SYMBOL, "77") in spy.orders)
    assert (spy.orders[EXCHANGE, SYMBOL, "77"].status, spy.orders[EXCHANGE, SYMBOL, "77"].filled) == ("closed", 2)
    assert ids(spy.orders.open) == []


async def test_a_symbol_that_nobody_subscribed_to_can_be_traded(magicbox: Any, venue: Any, spies: Any) -> None:
    """The request goes out once its answer cannot be missed, and the answer arrives."""
    await magicbox.start({"pluginName": "Spy"})
    await magicbox.unit_in_state("Spy", "live")
    pending = spies().buy("ETH/USDT")
    request = await venue.next_request()
    assert request.request_id == pending.request_id
    await venue.answer(request, venue.order_of(request, "78"))
    async with asyncio.timeout(60):
        assert (await pending).status == "done"
    assert ids(spies().orders.open) == ["78"]


async def test_two_orders_of_one_number_are_kept_apart(magicbox: Any, venue: Any, spies: Any) -> None:
    """Binance numbers each symbol's orders: both are open, each has its own fills, also after a restart from Redis."""
    await magicbox.start({"pluginName": "Spy"})
    await magicbox.unit_in_state("Spy", "live")
    orders = {}
    for symbol in (SYMBOL, "ETH/USDT"):
        spies().buy(symbol)
        request = await venue.next_request()
        orders[symbol] = venue.order_of(request, "77")
        await venue.answer(request, orders[symbol])
    eth, kcs = OrderKey(EXCHANGE, "ETH/USDT", "77"), OrderKey(EXCHANGE, SYMBOL, "77")
    await saw(spies(), lambda spy: {order.key for order in spy.orders.open} == {eth, kcs})
    await venue.tell_order(orders["ETH/USDT"], filled=Decimal(2), status="closed")
    await saw(spies(), lambda spy: eth not in spy.orders.open)
    assert spies().orders[kcs].filled == 0
    await venue.tell_order(orders[SYMBOL], filled=Decimal(1))
    await saw(spies(), lambda spy: spy.orders[kcs].filled == 1)
    assert spies().orders[eth].filled == 2
    before = spies()
    await magicbox.configure()
    await magicbox.no_units()
    await magicbox.configure({"pluginName": "Spy"})
    await magicbox.unit_in_state("Spy", "live")
    assert spies() is not before
    assert {order.key: order.filled for order in spies().orders} == {kcs: 1}


async def test_a_restart_finds_the_orders_of_before(magicbox: Any, venue: Any, spies: Any) -> None:
    """A strategy that was stopped and configured again knows its open orders from Redis, at its start."""
    await magicbox.start({"pluginName": "Quick"})
    await magicbox.unit_in_state("Quick", "live")
    venue.tell_book(9.98, 10.03)
    request = await venue.next_request()
    await venue.answer(request, venue.order_of(request, "77"))
    before = spies()
    await saw(before, lambda spy: ids(spy.orders.open) == ["77"])
    await magicbox.configure()
    await saw(before, lambda spy: type(spy.events[-1]).__name__ == "StopEvent")
    await magicbox.no_units()
    await magicbox.configure({"pluginName": "Quick"})
    await magicbox.unit_in_state("Quick", "live")
    assert spies() is not before
    assert ids(spies().orders.open) == ["77"]
    assert not [event for event in spies().events if type(event).__name__ == "OrderEvent"]


async def test_a_strategy_that_cannot_start_or_go_on_disturbs_no_other(magicbox: Any, venue: Any, spies: Any) -> None:
    """The heartbeat says what is wrong with each, with its path or file; the others are live."""
    (magicbox.folder / "broken.py").write_text("class Broken(:\n")
    (magicbox.folder / "faulty.py").write_text(FAULTY)
    (magicbox.folder / "strict.py").write_text(FAULTY.replace("Faulty", "Strict"))
    await magicbox.start(
        {"pluginName": "Broken"},
        {"pluginName": "Faulty"},
        {"pluginName": "Strict", "configuration": {"speed": 1}},
        {"pluginName": "Spy"},
    )
    await magicbox.unit_in_state("Spy", "live")
    await magicbox.unit_in_state("Faulty", "live")
    for number in range(3):
        venue.tell_book(9.98, 10.03 + number)
        await saw(spies(), lambda spy, n=number: spy.books["binance", "KCS/USDT"].best_ask == (10.03 + n, 5.0))
    faulty = await magicbox.unit_in_state("Faulty", "stopped")
    assert "2 errors in a row" in faulty.detail
    assert "broken.py cannot be read: SyntaxError" in (await magicbox.unit_in_state("Broken", "failed")).detail
    wrong = await magicbox.unit_in_state("Strict", "failed")
    assert "$.workplans[0].plugins[2].configuration.speed" in wrong.detail
    assert (await magicbox.unit_in_state("Spy", "live")).counters["messages"] >= 3


async def test_a_listener_that_raises_fails_its_strategy(
    magicbox: Any, venue: Any, spies: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listener that raises would be removed for good: its unit fails instead, and starts again."""
    await magicbox.start({"pluginName": "Spy"})
    await magicbox.unit_in_state("Spy", "live")
    first = spies()
    with monkeypatch.context() as defect:
        defect.setattr(LocalBook, "show", _raise_defect)
        venue.tell_book(9.98, 10.03)
        await saw(first, lambda spy: isinstance(spy.events[-1], StopEvent))
    await magicbox.unit_in_state("Spy", "live")
    venue.tell_book(9.97, 10.03)
    await saw(spies(), lambda spy: any(isinstance(event, BookEvent) for event in spy.events))


def _raise_defect(*_: object, **__: object) -> None:
    raise KeyError("forgotten")


async def test_a_hook_that_is_cancelled_from_inside_fails_its_strategy(magicbox: Any, venue: Any) -> None:
    """A strategy whose task was cancelled would never be called again: its unit fails instead, and starts again."""
    (magicbox.folder / "cancels_itself.py").write_text(CANCELS_ITSELF)
    await magicbox.start({"pluginName": "CancelsItself"})
    await magicbox.unit_in_state("CancelsItself", "live")
    venue.tell_book(9.98, 10.03)
    async with asyncio.timeout(60):
        while "failures" not in (unit := await magicbox.unit_in_state("CancelsItself", "live", "failed")).counters:
            await asyncio.sleep(0.02)
    assert unit.counters["failures"] == 1
    await magicbox.unit_in_state("CancelsItself", "live")


async def test_an_order_that_cannot_be_read_ends_no_strategy(
    magicbox: Any, venue: Any, server: EmbeddedServer, spies: Any
) -> None:
    """A key of another program where an order's hash belongs is passed over: the strategy goes on with its streams."""
    await magicbox.start({"pluginName": "Quick"})
    await magicbox.unit_in_state("Quick", "live")
    venue.tell_book(9.98, 10.03)
    order = venue.order_of(await venue.next_request(), "77")
    async with Redis.from_url(server.url) as redis:
        await redis.set(order_key(TENANT, "77"), "not a hash")
        venue.publish_order(order)
        venue.tell_book(9.97, 10.04)
        await saw(spies(), lambda spy: [type(event) for event in spy.events].count(BookEvent) >= 2)
        await redis.delete(order_key(TENANT, "77"))
    assert not any(isinstance(event, StopEvent) for event in spies().events)
    await magicbox.unit_in_state("Quick", "live")


async def test_a_request_that_never_reached_redis_is_answered(
    magicbox: Any, venue: Any, server: EmbeddedServer, spies: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request made in an outage is `unknown` when its validity ends, and `expired` once Redis is back."""
    monkeypatch.setattr(order_gateway, "ANSWER_GRACE_S", 0.05)
    await magicbox.start({"pluginName": "Spy"})
    await magicbox.unit_in_state("Spy", "live")
    spy = spies()
    await server.kill()
    pending = spy.buy(valid_for_ms=100)
    await saw(spy, lambda _: pending.is_unknown)
    await server.restart()
    await saw(spy, lambda _: pending.is_final)
    assert pending.response.status == "expired"
    answers = [event.response.status for event in spy.events if isinstance(event, ResponseEvent)]
    assert answers == ["unknown", "expired"]


async def test_a_request_that_the_executor_knows_is_not_answered_in_its_place(
    magicbox: Any, venue: Any, server: EmbeddedServer, spies: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis had it, and only the acknowledgement was lost: the executor, which asks the exchange, has the last word."""
    monkeypatch.setattr(order_gateway, "ANSWER_GRACE_S", 2.0)
    await magicbox.start({"pluginName": "Spy"})
    await magicbox.unit_in_state("Spy", "live")
    spy = spies()
    await venue.answer((first := spy.buy()).request, None, status="rejected")
    await saw(spy, lambda _: first.is_final)
    await server.kill()
    lost, known = spy.buy(valid_for_ms=100), spy.buy(valid_for_ms=100)
    await saw(spy, lambda _: lost.is_unknown and known.is_unknown)
    await venue.answer(known.request, None, status="unknown")
    await server.restart()
    await saw(spy, lambda _: lost.is_final)
    assert (lost.response.status, known.response.status) == ("expired", "unknown")
    await venue.answer(known.request, venue.order_of(known.request, "78"))
    async with asyncio.timeout(60):
        assert (await known).status == "done"


async def test_an_answer_comes_once_where_the_exchange_does_not_list_the_symbol(
    magicbox: Any, venue: Any, spies: Any
) -> None:
    """It is on a stream that all symbols share, and is heard like any other."""
    await magicbox.start({"pluginName": "Spy"})
    await magicbox.unit_in_state("Spy", "live")
    for symbol in ("X/USDT", "Y/USDT"):
        pending = spies().buy(symbol=symbol)
        await venue.answer(await venue.next_request(), None, status="rejected", is_listed=False)
        await saw(spies(), lambda _, pending=pending: pending.is_final)
    answers = [event for event in spies().events if isinstance(event, ResponseEvent)]
    assert [(each.response.status, each.symbol) for each in answers] == [("rejected", None)] * 2


async def test_a_request_that_redis_refuses_is_rejected(magicbox: Any, server: EmbeddedServer, spies: Any) -> None:
    """A Redis without memory takes no requests: the strategy gets an answer, and does not wait for the executor's."""
    await magicbox.start({"pluginName": "Spy"}, subscriptions=[])
    await magicbox.unit_in_state("Spy", "live")
    async with Redis.from_url(server.url) as redis:
        await redis.config_set("maxmemory", "1")
        pending = spies().buy()
        await saw(spies(), lambda _: pending.is_final)
        await redis.config_set("maxmemory", "0")
    assert (pending.response.status, pending.response.error.kind) == ("rejected", "CommandRefused")


async def test_an_outage_of_redis_is_survived(magicbox: Any, venue: Any, server: EmbeddedServer, spies: Any) -> None:
    """The book is not trusted while the stream is cut off, is right again afterwards, and trading goes on."""
    await magicbox.start({"pluginName": "Spy"})
    await magicbox.unit_in_state("Spy", "live")
    venue.tell_book(9.98, 10.03)
    book = spies().books["binance", "KCS/USDT"]
    await saw(spies(), lambda _: book.trusted and book.best_ask == (10.03, 5.0))
    await server.kill()
    await saw(spies(), lambda _: not book.trusted)
    venue.tell_book(9.97, 10.05)
    await server.restart()
    await saw(spies(), lambda _: book.trusted and book.best_ask == (10.05, 5.0))
    pending = spies().buy()
    request = await venue.next_request()
    await venue.answer(request, venue.order_of(request, "79"))
    async with asyncio.timeout(60):
        assert (await pending).status == "done"


async def test_ping_pong_trades_both_ways(magicbox: Any, venue: Any) -> None:
    """A buy, a sell and a buy: each when the one before has filled; the last, which does not, is cancelled."""
    magicbox.folder = EXAMPLES
    await magicbox.start(PING_PONG)
    await magicbox.unit_in_state("PingPong", "live")
    venue.tell_book(9.98, 10.03)
    sides = []
    for number in range(3):
        request = await venue.next_request()
        assert isinstance(request, CreateOrder)
        sides.append((request.payload.side, request.payload.price))
        order = venue.order_of(request, str(number))
        await venue.answer(request, order)
        if number < 2:
            await venue.tell_order(order, filled=Decimal(2), status="closed")
    assert sides == [("buy", 10), ("sell", Decimal("10.01")), ("buy", 10)]
    cancel = await venue.next_request()
    assert isinstance(cancel, CancelOrder)
    assert cancel.payload.order_id == "2"


class _Process:
    """A magicbox as its own process, which can be killed."""

    def __init__(self, server: EmbeddedServer) -> None:
        self._url = server.url
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        arguments = ("--agent-id", "MAGICBOX", "--redis-url", self._url, "--plugin-dir", str(EXAMPLES))
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "millrace_magicbox",
            *arguments,
            f"--die-with-parent={os.getpid()}",
            env=dict(os.environ),
        )

    async def end(self, by: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(by)
        return await self._process.wait()


@pytest.fixture
async def process(server: EmbeddedServer) -> AsyncIterator[_Process]:
    """Return the process, still to be started."""
    process = _Process(server)
    yield process
    if process._process is not None and process._process.returncode is None:
        await process.end(signal.SIGKILL)


async def test_a_killed_magicbox_leaves_no_second_order(magicbox: Any, venue: Any, process: _Process) -> None:
    """Its request is answered while it is dead; back again it cancels that order before it places another."""
    await magicbox.configure(PING_PONG)
    await process.start()
    venue.tell_book(9.98, 10.03)
    request = await venue.next_request()
    await process.end(signal.SIGKILL)
    order = venue.order_of(request, "77")
    await venue.answer(request, order)
    await venue.tell_order(order, filled=Decimal(1))
    await process.start()
    cancel = await venue.next_request()
    assert isinstance(cancel, CancelOrder)
    assert cancel.payload.order_id == "77"
    await venue.tell_order(order, filled=Decimal(1), status="canceled")
    sell = await venue.next_request()
    assert isinstance(sell, CreateOrder)
    assert (sell.payload.side, sell.payload.amount_base) == ("sell", 1)
    assert await process.end(signal.SIGTERM) == 0
