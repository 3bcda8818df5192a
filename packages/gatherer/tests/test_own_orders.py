"""The account's own orders and trades over outages: Redis holds what the exchange does, and nothing is missing."""

import asyncio
import contextlib
import os
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from redis.asyncio import Redis
from tests.support.promptness import prompt

from millrace_bus import Bus
from millrace_core.clock import now_ms
from millrace_core.messages import Response
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_core.orders import Order, OrderRecord
from millrace_core.requests import CancelPayload, CreatePayload
from millrace_exchange import Exchange, Retryable
from millrace_gatherer.streams.following import SUBSCRIBING_S
from millrace_simulator.server import Server

pytestmark = pytest.mark.usefixtures("gatherer")

OWN = Symbol("KCS/USDT")
TENANT, BINANCE = Tenant("T"), ExchangeId("binance")
OUTAGES = int(os.environ.get("MILLRACE_TEST_OUTAGES", "3"))
"""How often the line is cut; more for a long campaign."""
RIGHT_AGAIN_S = prompt(10.0)


class Trader:
    """Trades at random, and sometimes tells Redis of an order at its beginning, as an executor that then ends."""

    def __init__(self, bus: Bus, account: Exchange, seed: int) -> None:
        self.random = Random(seed)
        self._bus, self._account = bus, account
        self._open: list[str] = []
        self._number = 0

    async def trade(self, times: int) -> None:
        """Place and cancel orders."""
        for _ in range(times):
            if self._open and self.random.random() < 0.4:
                await self.cancel(self._open.pop(self.random.randrange(len(self._open))))
            else:
                await self.place("market" if self.random.random() < 0.5 else "limit")

    async def place(self, kind: str, *, is_known: bool | None = None) -> Order:
        """Buy at once or leave an order resting; tell Redis of it as of an open order, or not."""
        self._number += 1
        price = None if kind == "market" else Decimal(self.random.randint(4_000, 6_000)) / 1_000
        payload = CreatePayload(symbol=OWN, side="buy", type=kind, amount_base=Decimal(3), price=price)
        (order,) = (await self._account.execution.create_order(payload, f"order-{self._number}")).orders
        if kind == "limit":
            self._open.append(order.id)
        if self.random.random() < 0.5 if is_known is None else is_known:
            opened = Order(id=order.id, symbol=OWN, status="open", filled=Decimal(0), amount=Decimal(3))
            await self._bus.orders.merge(TENANT, OrderRecord(opened, BINANCE, now_ms(), "James", "0" * 32))
        return order

    async def cancel(self, order_id: str) -> None:
        """Cancel an order."""
        await self._account.execution.cancel_order(CancelPayload(symbol=OWN, order_id=order_id))


async def until_right(bus: Bus, simulator: Server) -> None:
    """Wait until Redis' open set is the exchange's."""
    venue = simulator.venue
    owner = venue.account_by_key("demo-key")
    async with asyncio.timeout(RIGHT_AGAIN_S):
        while await bus.orders.open_ids(TENANT, BINANCE, OWN) != {
            str(order.order_id) for order in venue.open_orders(owner, "KCSUSDT")
        }:
            await asyncio.sleep(0.02)  # a set that tells nobody of its change


async def test_an_order_that_ended_during_an_outage_is_closed_in_redis(
    configure: Any, read: Any, bus: Bus, account: Exchange, line: Any, simulator: Server
) -> None:
    """The executor told Redis of it, the gatherer never heard of it: it asks about what Redis takes for open."""
    await configure([OWN], ["watchOrders"])
    orders, trader = read("watchOrders", OWN), Trader(bus, account, seed=1)
    await orders.until(lambda r: r.follower.status == "live")
    async with line.down():
        bought = await trader.place("market", is_known=True)
        canceled = await trader.place("limit", is_known=True)
        await trader.cancel(canceled.id)
    await until_right(bus, simulator)
    found = [await bus.orders.get(TENANT, order.id, exchange=BINANCE, symbol=OWN) for order in (bought, canceled)]
    assert [(record.order.status, record.order_source) for record in found if record] == [
        ("closed", "James"),
        ("canceled", "James"),
    ]


@pytest.mark.parametrize(("by_ms", "adapter"), [(-300_000, "native"), (300_000, "native"), (-300_000, "ccxt")])
async def test_what_outages_hid_is_found_though_this_machines_clock_goes_wrong(
    configure: Any, read: Any, bus: Bus, account: Exchange, line: Any, simulator: Server, by_ms: int, adapter: str
) -> None:
    """The exchange is asked by its own time: by a clock that is ahead, it would be asked for what is to come."""
    await configure([OWN], ["watchOrders", "watchMyTrades"], adapter=adapter)
    orders, trades, trader = read("watchOrders", OWN), read("watchMyTrades", OWN), Trader(bus, account, seed=1)
    for reader in (orders, trades):
        await reader.until(lambda r: r.follower.status == "live")
    simulator.venue.clock.shift(by_ms)
    with contextlib.suppress(Retryable):
        await account.account.fetch_balance()  # refused: then the clock is known to be wrong here too
    for _ in range(2):
        async with line.down():
            hidden = await trader.place("market", is_known=False)
        async with asyncio.timeout(RIGHT_AGAIN_S):
            await orders.until(lambda r, hidden=hidden: published_states(r).get(hidden.id) == "closed")
            await trades.until(lambda r, hidden=hidden: hidden.id in {each.order for each in all_of(r, "trades")})


async def test_own_streams_are_live_once_the_exchange_sends_them(
    configure: Any, read: Any, bus: Bus, account: Exchange, line: Any
) -> None:
    """What happens before a subscription stands comes by no stream: it is asked for as soon as it does."""
    held = asyncio.Queue[str]()

    def hold_confirmation(text: str) -> str | None:
        if '"subscriptionId"' not in text:
            return text
        held.put_nowait(text)
        return None

    line.treat = hold_confirmation
    await configure([OWN], ["watchOrders", "watchMyTrades", "watchBalance"])
    orders, trades, balance = read("watchOrders", OWN), read("watchMyTrades", OWN), read("watchBalance")
    async with asyncio.timeout(30):
        confirmation = await held.get()
        while sum("openOrders" in text for text in line.sent) < 2:
            await asyncio.sleep(0.02)  # a question that tells nobody of its end
    bought = await Trader(bus, account, seed=1).place("market")
    line.treat = lambda text: text
    assert [("live", None) in each.statuses() for each in (orders, trades, balance)] == [False] * 3
    for socket in line.open:
        if "/ws-api/" in socket.path:
            socket.say(confirmation)
    for each in (orders, trades, balance):
        await each.until(lambda r: r.follower.status == "live")
    assert [trade.order for trade in trades.state.trades] == [bought.id] * len(trades.state.trades)
    assert trades.state.trades


async def test_an_order_that_the_exchange_does_not_know_is_not_open(configure: Any, bus: Bus) -> None:
    """An exchange that was set up anew, or forgets orders, would leave it open for ever; a new one may just be late."""
    old_ms = now_ms() - 3_600_000
    for order_id, updated in (("700001", old_ms), ("700002", now_ms())):
        unknown = Order(id=order_id, symbol=OWN, status="open", timestamp=updated)
        await bus.orders.merge(TENANT, OrderRecord(unknown, BINANCE, updated))
    await configure([OWN], ["watchOrders"])
    async with asyncio.timeout(RIGHT_AGAIN_S):
        while await bus.orders.open_ids(TENANT, BINANCE, OWN) != {"700002"}:
            await asyncio.sleep(0.02)  # a set that tells nobody of its change


@pytest.mark.parametrize("seed", [1])
async def test_own_orders_and_trades_are_the_exchanges_after_every_outage(
    configure: Any, read: Any, bus: Bus, account: Exchange, line: Any, simulator: Server, seed: int
) -> None:
    """Every order and every trade is published, whenever it was made; Redis' open orders are the exchange's."""
    await configure([OWN], ["watchOrders", "watchMyTrades"])
    orders, trades = read("watchOrders", OWN), read("watchMyTrades", OWN)
    for reader in (orders, trades):
        await reader.until(lambda r: r.follower.status == "live")
    trader, venue = Trader(bus, account, seed), simulator.venue
    owner = venue.account_by_key("demo-key")
    for _ in range(OUTAGES):
        await trader.trade(4)
        async with line.down():
            await trader.trade(6)
        await trader.trade(4)
        await until_right(bus, simulator)
        async with asyncio.timeout(RIGHT_AGAIN_S):
            made = [(str(t.trade_id), str(t.order_id)) for t in venue.own_trades(owner, "KCSUSDT", limit=1_000)]
            await trades.until(lambda r, made=made: len(all_of(r, "trades")) >= len(made))
            await orders.until(lambda r: published_states(r) == venue_states(simulator))
        assert [(t.id, t.order) for t in all_of(trades, "trades")] == made


def all_of(reader: Any, name: str) -> list[Any]:
    """Return what all deltas brought."""
    return [each for delta in reader.deltas() for each in getattr(delta, name)]


def published_states(reader: Any) -> dict[str, str]:
    """Return the last published status of every order."""
    return {order.id: order.status for order in all_of(reader, "orders")}


def venue_states(simulator: Server) -> dict[str, str]:
    """Return the exchange's own status of every order."""
    venue = simulator.venue
    names = {"FILLED": "closed", "CANCELED": "canceled", "NEW": "open", "PARTIALLY_FILLED": "open"}
    orders = venue.all_orders(venue.account_by_key("demo-key"), "KCSUSDT", limit=1_000)
    return {str(order.order_id): names[order.status] for order in orders}


async def test_an_order_that_the_stream_lost_is_found_soon_after_any_other_message(
    configure: Any, read: Any, bus: Bus, account: Exchange, line: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing shows that a message of an account is missing, so it is asked again soon while the account is active."""
    monkeypatch.setattr("millrace_gatherer.streams.questions.ACTIVE_S", 0.5)
    await configure([OWN], ["watchOrders", "watchMyTrades"])
    orders, trades, trader = read("watchOrders", OWN), read("watchMyTrades", OWN), Trader(bus, account, seed=1)
    for reader in (orders, trades):
        await reader.until(lambda r: r.follower.status == "live")
    await asyncio.sleep(sum(SUBSCRIBING_S) + 0.5)  # until the questions that follow a subscription are over
    is_lost = asyncio.Event()

    def lose(frame: str) -> str | None:
        if "outboundAccountPosition" in frame:
            is_lost.set()
        return None if "executionReport" in frame or "outboundAccountPosition" in frame else frame

    line.treat = lose
    lost = await trader.place("market", is_known=False)
    async with asyncio.timeout(RIGHT_AGAIN_S):
        await is_lost.wait()
    line.treat = lambda frame: frame
    await trader.place("limit", is_known=False)
    async with asyncio.timeout(RIGHT_AGAIN_S):
        await orders.until(lambda r: published_states(r).get(lost.id) == "closed")
        await trades.until(lambda r: lost.id in {trade.order for trade in all_of(r, "trades")})


async def test_an_own_trade_that_the_stream_lost_is_found_though_a_newer_one_came(
    configure: Any, read: Any, bus: Bus, account: Exchange, line: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was made before the newest one that is known, so it is not enough to ask for newer ones."""
    monkeypatch.setattr("millrace_gatherer.streams.trades.MyTradesStream.poll_s", 0.5)
    await configure([OWN], ["watchMyTrades"])
    trades, trader = read("watchMyTrades", OWN), Trader(bus, account, seed=1)
    await trades.until(lambda r: r.follower.status == "live")
    first = await trader.place("market")
    await trades.until(lambda r: all_of(r, "trades"))
    is_lost = asyncio.Event()

    def lose(frame: str) -> str | None:
        if '"x":"TRADE"' in frame:
            is_lost.set()
        return None if "executionReport" in frame else frame

    line.treat = lose
    lost = await trader.place("market")
    await is_lost.wait()
    line.treat = lambda frame: frame
    last = await trader.place("market")
    await trades.until(lambda r: {t.order for t in all_of(r, "trades")} == {first.id, lost.id, last.id})


async def live_account(configure: Any, read: Any, adapter: str = "native") -> tuple[Any, Any, Any]:
    """Return readers of the account's orders, trades and balances, once all are live."""
    await configure([OWN], ["watchOrders", "watchMyTrades", "watchBalance"], adapter=adapter)
    readers = read("watchOrders", OWN), read("watchMyTrades", OWN), read("watchBalance")
    for reader in readers:
        await reader.until(lambda r: r.follower.status == "live")
    return readers


async def test_an_event_that_cannot_be_read_is_asked_for_at_once(
    configure: Any, read: Any, bus: Bus, account: Exchange, line: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it said is known soon, and no stream begins anew."""
    monkeypatch.setattr("millrace_gatherer.streams.questions.ACTIVE_S", 3600.0)
    asked_seldom(monkeypatch)
    orders, trades, balance = await live_account(configure, read)
    opened = line.sockets
    line.treat = lambda frame: frame.replace("executionReport", "new").replace("outboundAccountPosition", "newer")
    bought = await Trader(bus, account, seed=1).place("market", is_known=False)
    held = (await account.account.fetch_balance())["KCS"]
    async with asyncio.timeout(RIGHT_AGAIN_S):
        await orders.until(lambda r: published_states(r) == {bought.id: "closed"})
        await trades.until(lambda r: {trade.order for trade in all_of(r, "trades")} == {bought.id})
        await balance.until(lambda r: r.state.balances["KCS"] == held)
    assert line.sockets == opened


@pytest.mark.parametrize("adapter", ["native", "ccxt"])
async def test_an_executors_answer_has_the_exchange_asked_where_the_connection_is_mute(
    configure: Any, read: Any, bus: Bus, account: Exchange, line: Any, monkeypatch: pytest.MonkeyPatch, adapter: str
) -> None:
    """It answers pings, and brings no event: nothing else says that something happened. Another one is made."""
    monkeypatch.setattr("millrace_gatherer.streams.questions.ACTIVE_S", 0.2)
    asked_seldom(monkeypatch)
    orders, trades, balance = await live_account(configure, read, adapter)
    await asyncio.sleep(1.0)  # until the questions that follow a subscription are over
    opened = line.sockets
    line.treat = lambda frame: None if "subscriptionId" in frame else frame
    bought = await Trader(bus, account, seed=1).place("market", is_known=False)
    held = (await account.account.fetch_balance())["KCS"]
    answers = bus.writer(StreamName(TENANT, BINANCE, Action("createOrder"), OWN), None)
    await answers.open("live", None)
    answers.response(Response("0" * 32, "done", bought))
    async with asyncio.timeout(RIGHT_AGAIN_S):
        await orders.until(lambda r: published_states(r) == {bought.id: "closed"})
        await trades.until(lambda r: {trade.order for trade in all_of(r, "trades")} == {bought.id})
        await balance.until(lambda r: r.state.balances["KCS"] == held)
        while line.sockets == opened:
            await asyncio.sleep(0.02)  # a connection that tells nobody of its beginning
    await answers.close("over")


async def test_open_orders_are_written_again_once_redis_has_lost_them(
    configure: Any, read: Any, bus: Bus, account: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`FLUSHALL` ends no connection, and no message may come of them for long."""
    monkeypatch.setattr("millrace_gatherer.streams.questions.ACTIVE_S", 3600.0)
    asked_seldom(monkeypatch)
    orders, _, _ = await live_account(configure, read)
    opened = await Trader(bus, account, seed=1).place("limit", is_known=False)
    await orders.until(lambda r: published_states(r) == {opened.id: "open"})
    client: Any = Redis.from_url(bus.url)
    await client.flushall()
    async with asyncio.timeout(RIGHT_AGAIN_S):
        while await bus.orders.open_ids(TENANT, BINANCE, OWN) != {opened.id}:
            await asyncio.sleep(0.05)  # a set that tells nobody of its change
    await client.aclose()


def asked_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the exchange be asked once at the beginning, and by no timer."""
    monkeypatch.setattr("millrace_gatherer.streams.following.SUBSCRIBING_S", ())
    timers = ("orders.OrdersStream.reconcile_s", "balance.BalanceStream.reconcile_s", "trades.MyTradesStream.poll_s")
    for timer in timers:
        monkeypatch.setattr(f"millrace_gatherer.streams.{timer}", 3600.0)
