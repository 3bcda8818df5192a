"""Streams message by message, on a market that the test moves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from random import Random
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from msgspec.structs import replace

from millrace_matching import OrderType, SelfTradePrevention, Side, TimeInForce
from millrace_simulator.config import Limits, default_config
from millrace_simulator.faults import FAULTS, Faults, Interference
from millrace_simulator.kucoin.exchange import Exchange
from millrace_simulator.kucoin.ids import order_id_text
from millrace_simulator.kucoin.streams import add_stream_routes
from millrace_simulator.market import Market
from millrace_simulator.venue import Account, Instrument, ManualClock, OrderRef, OrderRequest, Venue

SYMBOL = "KCS-USDT"


class Client:
    """A client of streams that can tell what it was sent up to now."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, welcome: dict[str, Any]) -> None:
        self.socket = socket
        self.welcome = welcome

    async def request(self, **request: Any) -> dict[str, Any]:
        """Return the answer to a request; nothing else may come before it."""
        await self.socket.send_json({"id": "1", "response": True, **request})
        answer: dict[str, Any] = await self.socket.receive_json()
        return answer

    async def subscribe(self, *topics: str) -> None:
        """Subscribe to topics, which must be acknowledged."""
        for topic in topics:
            assert await self.request(type="subscribe", topic=topic) == {"id": "1", "type": "ack"}

    async def messages(self) -> list[dict[str, Any]]:
        """Return everything that the server sent until now: it answers a ping only after what it sent before."""
        await self.socket.send_json({"id": "mark", "type": "ping"})
        messages: list[dict[str, Any]] = []
        while True:
            message = await self.socket.receive_json()
            if message.get("id") == "mark":
                return messages
            messages.append(message)

    async def data(self) -> list[dict[str, Any]]:
        """Return the data of everything that was sent."""
        return [message["data"] for message in await self.messages()]


class Stand:
    """A venue with its streams on a real port."""

    def __init__(self, venue: Venue, market: Market, clock: ManualClock, session: aiohttp.ClientSession) -> None:
        self.venue, self.market, self.clock, self.session = venue, market, clock, session
        self.exchange = Exchange(venue, Limits())
        self.address = ""

    @property
    def kcs(self) -> Instrument:
        """Return the symbol that tests trade."""
        return self.venue.instrument(SYMBOL)

    @property
    def account(self) -> Account:
        """Return the account that tests trade with."""
        return self.venue.account_by_key("demo-key")

    def pass_time(self, milliseconds: int) -> None:
        """Let so much time go by in steps of 10 ms."""
        for _ in range(milliseconds // 10):
            self.market.step(self.clock.now_us() + 10_000)

    def place(self, side: Side, quantity: str, price: str | None, **more: Any) -> str:
        """Place an order of the account; return its id."""
        request = OrderRequest(
            symbol=SYMBOL,
            side=side,
            type=OrderType.MARKET if price is None else OrderType.LIMIT,
            quantity=Decimal(quantity),
            price=None if price is None else Decimal(price),
        )
        placed = self.venue.place(self.account, replace(request, **more))
        return order_id_text(SYMBOL, placed.order.order_id)

    async def open(self, *, private: bool = False, token: str | None = None) -> aiohttp.ClientWebSocketResponse:
        """Open a connection with a new token, or this one."""
        account = self.account if private else None
        token = token or self.exchange.tokens.bullet(self.address, account)["token"]
        return await self.session.ws_connect(f"http://{self.address}/endpoint?token={token}&connectId=abc")

    async def connect(self, *, private: bool = False) -> Client:
        """Return a welcomed client."""
        socket = await self.open(private=private)
        return Client(socket, await socket.receive_json())


@pytest.fixture
async def stand() -> AsyncIterator[Stand]:
    """A venue of two symbols, whose market stands unless the test lets time pass."""
    config = default_config("kucoin")
    clock = ManualClock()
    symbols = [rules for rules in config.symbols if rules.symbol in (SYMBOL, "BTC-USDT")]
    venue = Venue(symbols, config.accounts, clock=clock, seed=7)
    market = Market(venue, seed=7, events_per_second=700)
    market.open()
    app = web.Application()
    app[FAULTS] = Faults((), Interference(market, str))
    async with aiohttp.ClientSession() as session:
        stand = Stand(venue, market, clock, session)
        add_stream_routes(app, stand.exchange, interval_ms=100)
        runner = web.AppRunner(app, shutdown_timeout=0.5)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        stand.address = f"127.0.0.1:{runner.addresses[0][1]}"
        yield stand
        await runner.cleanup()


async def test_a_connection_begins_with_a_welcome(stand: Stand) -> None:
    """It names the client's id and how often to ping; a ping is answered with its id as text."""
    client = await stand.connect()
    assert client.welcome == {"id": "abc", "type": "welcome", "pingInterval": 18_000, "pingTimeout": 10_000}
    pong = await client.request(id=7, type="ping")
    assert (pong["id"], pong["type"]) == ("7", "pong")


async def test_a_token_that_is_unknown_or_a_day_old_opens_nothing(stand: Stand) -> None:
    """The client is told that its token is expired, and is cut off."""
    old = stand.exchange.tokens.bullet(stand.address)["token"]
    stand.clock.reach(stand.clock.now_us() + 24 * 3_600_000_000)
    for token in ("nonsense", old):
        socket = await stand.open(token=token)
        answer = await socket.receive_json()
        assert (answer["type"], answer["code"], answer["data"]) == ("error", 401, "token is expired")
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"type": "subscribe", "topic": "/market/level2:NO-SUCH"}, 404),
        ({"type": "subscribe", "topic": "/market/nothing:KCS-USDT"}, 404),
        ({"type": "subscribe", "topic": "/market/candles:KCS-USDT_1s"}, 404),
        ({"type": "subscribe", "topic": "/spotMarket/tradeOrders"}, 403),
        ({"type": "subscribe", "topic": "/market/match:" + ",".join(["KCS-USDT"] * 101)}, 509),
        ({"type": "order"}, 415),
        ({"type": 5}, 400),
    ],
)
async def test_a_refused_request_has_its_code(stand: Stand, request_: dict[str, Any], code: int) -> None:
    """The answer is an error that names the request, and the connection stays."""
    client = await stand.connect()
    answer = await client.request(**request_)
    assert (answer["type"], answer["code"], answer["id"]) == ("error", code, "" if code == 400 else "1")
    assert await client.messages() == []


async def test_only_who_asks_for_a_response_gets_one(stand: Stand) -> None:
    """Without `response` a subscription takes effect in silence; it ends with unsubscribe."""
    client = await stand.connect()
    await client.request(type="subscribe", topic="/market/level2:KCS-USDT")
    await client.socket.send_json({"id": 2, "type": "unsubscribe", "topic": "/market/level2:KCS-USDT"})
    assert await client.messages() == []
    stand.pass_time(200)
    assert await client.messages() == []


async def test_a_book_is_followed_without_a_hole(stand: Stand) -> None:
    """From a snapshot on, each message begins where the last one ended; every change has its own sequence."""
    client = await stand.connect()
    await client.subscribe("/market/level2:KCS-USDT,BTC-USDT")
    before = stand.kcs.depth()
    stand.pass_time(1000)
    messages = [each for each in await client.messages() if each["topic"] == "/market/level2:KCS-USDT"]
    scale, sequence = stand.kcs.scale, before.last_update_id
    book = {
        side: {scale.price(price): scale.quantity(total) for price, total in levels}
        for side, levels in (("bids", before.bids), ("asks", before.asks))
    }
    for data in (message["data"] for message in messages):
        changes = [(side, *change) for side in book for change in data["changes"][side]]
        assert data["sequenceStart"] == sequence + 1
        sequence = data["sequenceEnd"]
        numbers = sorted(int(change[3]) for change in changes)
        assert numbers == list(range(data["sequenceStart"], sequence + 1))
        for side, price, size, _ in sorted(changes, key=lambda change: int(change[3])):
            book[side][Decimal(price)] = Decimal(size)
    after = stand.kcs.depth()
    assert (len(messages) > 50, sequence) == (True, after.last_update_id)
    for side, levels in (("bids", after.bids), ("asks", after.asks)):
        shown = {price: size for price, size in book[side].items() if size}
        assert shown == {scale.price(price): scale.quantity(total) for price, total in levels}


async def test_a_hidden_order_changes_no_book(stand: Stand) -> None:
    """Neither when it comes nor when it goes."""
    client = await stand.connect()
    await client.subscribe("/market/level2:KCS-USDT", "/spotMarket/level2Depth5:KCS-USDT")
    order_id = stand.place(Side.BUY, "1", "12", hidden=True)
    stand.venue.cancel(stand.account, SYMBOL, OrderRef(int(order_id[8:], 16)))
    stand.market.paused = True
    stand.pass_time(200)
    assert await client.messages() == []


async def test_every_public_topic_is_published(stand: Stand) -> None:
    """Each with its subject; the topic of all tickers names the symbol there."""
    client = await stand.connect()
    topics = {
        "/market/ticker:KCS-USDT": "trade.ticker",
        "/market/ticker:all": "BTC-USDT",
        "/market/snapshot:KCS-USDT": "trade.snapshot",
        "/market/snapshot:USDS": "trade.snapshot",
        "/spotMarket/level1:KCS-USDT": "level1",
        "/spotMarket/level2Depth5:KCS-USDT": "level2",
        "/spotMarket/level2Depth50:KCS-USDT": "level2",
        "/market/match:KCS-USDT": "trade.l3match",
        "/market/candles:KCS-USDT_1min": "trade.candles.update",
    }
    await client.subscribe(*topics)
    stand.pass_time(2500)
    seen = {(message["topic"], message["subject"]) for message in await client.messages()}
    assert seen >= set(topics.items())


async def test_an_order_that_takes_and_rests_is_reported_step_by_step(stand: Stand) -> None:
    """Received, each match, and open once it rests; the older topic has all but the first."""
    client = await stand.connect(private=True)
    await client.subscribe("/spotMarket/tradeOrdersV2", "/spotMarket/tradeOrders")
    best, total = stand.kcs.depth(1).asks[0]
    price, some = stand.kcs.scale.price(best), stand.kcs.scale.quantity(total)
    order_id = stand.place(Side.BUY, str(some + 1), str(price))
    messages = await client.messages()
    steps = {
        version: [m["data"]["type"] for m in messages if m["topic"] == f"/spotMarket/tradeOrders{version}"]
        for version in ("", "V2")
    }
    matches = steps["V2"].count("match")
    assert steps == {"": [*["match"] * matches, "open"], "V2": ["received", *["match"] * matches, "open"]}
    last = messages[-1]["data"]
    assert (last["orderId"], last["status"], last["remainSize"], last["filledSize"]) == (
        order_id, "open", "1", format(some.normalize(), "f"),
    )  # fmt: skip
    stand.venue.crowd_submit(stand.kcs, Side.SELL, int(2 / stand.kcs.scale.lot), best)
    made, filled = (await client.data())[::2][:2]
    assert (made["type"], made["status"], made["liquidity"], made["feeType"]) == ("match", "open", "maker", "makerFee")
    assert (filled["type"], filled["status"], filled["remainSize"]) == ("filled", "done", "0")


async def test_an_order_ends_after_its_lifetime(stand: Stand) -> None:
    """A GTT order is canceled by the exchange."""
    client = await stand.connect(private=True)
    order_id = stand.place(Side.BUY, "1", "12", lifetime_s=1)
    stand.market.paused = True
    await client.subscribe("/spotMarket/tradeOrdersV2")
    stand.pass_time(1010)
    [canceled] = await client.data()
    assert (canceled["orderId"], canceled["type"], canceled["canceledSize"]) == (order_id, "canceled", "1")


async def test_a_stop_order_waits_is_triggered_and_trades(stand: Stand) -> None:
    """While it waits it is in its own topic alone; once triggered it is an order like any other."""
    client = await stand.connect(private=True)
    await client.subscribe("/spotMarket/advancedOrders", "/spotMarket/tradeOrdersV2")
    last = stand.kcs.scale.price(stand.kcs.last_price)
    stop = last - stand.kcs.scale.tick
    order_id = stand.place(Side.SELL, "1", None, type=OrderType.STOP_LOSS, stop_price=stop)
    [waiting] = await client.messages()
    assert (waiting["subject"], waiting["data"]["type"], waiting["data"]["stop"]) == ("stopOrder", "open", "loss")
    # Takers sell until the last price is at the stop.
    while stand.kcs.last_price > int(stop / stand.kcs.scale.tick):
        stand.venue.crowd_submit(stand.kcs, Side.SELL, 10_000, None)
    messages = await client.messages()
    kinds = [(message["subject"], message["data"]["type"]) for message in messages]
    assert kinds[:3] == [("stopOrder", "TRIGGERED"), ("orderChange", "received"), ("orderChange", "match")]
    assert kinds[-1] == ("orderChange", "filled")
    assert {message["data"]["orderId"] for message in messages} == {order_id}


async def test_balances_follow_orders_and_deposits(stand: Stand) -> None:
    """What an order holds, what it gives back, and what is deposited, each with its change and its cause."""
    client = await stand.connect(private=True)
    await client.subscribe("/account/balance")
    order_id = stand.place(Side.BUY, "1", "10")
    stand.venue.cancel(stand.account, SYMBOL, OrderRef(int(order_id[8:], 16)))
    stand.venue.deposit(stand.account, "KCS", Decimal(5))
    held, freed, deposited = await client.data()
    assert (held["relationEvent"], held["holdChange"], held["availableChange"]) == ("trade.hold", "10.01", "-10.01")
    assert (held["hold"], held["relationContext"]) == ("10.01", {"symbol": SYMBOL, "orderId": order_id})
    assert (freed["relationEvent"], freed["holdChange"], freed["hold"]) == ("trade.setted", "-10.01", "0")
    assert (deposited["currency"], deposited["availableChange"], deposited["relationContext"]) == ("KCS", "5", {})


def act_at_random(stand: Stand, rng: Random) -> None:
    """Place or cancel an order of any kind, or let the market move."""
    account, last = stand.account, stand.kcs.scale.price(stand.kcs.last_price)
    side = rng.choice(list(Side))
    price = str(last + rng.randint(-20, 20) * stand.kcs.scale.tick)
    kinds: list[dict[str, Any]] = [
        {},
        {"type": OrderType.LIMIT_MAKER},
        {"time_in_force": TimeInForce.IOC},
        {"hidden": True},
        {"lifetime_s": 1},
        {"self_trade_prevention": SelfTradePrevention.EXPIRE_BOTH},
        {"type": OrderType.MARKET, "price": None},
    ]
    match rng.randrange(4):
        case 0:
            stand.pass_time(20)
        case 1 if orders := stand.venue.open_orders(account):
            stand.venue.cancel(account, SYMBOL, OrderRef(rng.choice(orders).order_id))
        case _:
            stand.place(**{"side": side, "quantity": str(rng.randint(1, 80)), "price": price, **rng.choice(kinds)})


@pytest.mark.parametrize("seed", range(3))
async def test_the_account_that_its_streams_add_up_to_is_the_exchanges(stand: Stand, seed: int) -> None:
    """Whatever orders do: each begins once and ends at most once, its fills add up, and balances are the last ones."""
    client = await stand.connect(private=True)
    await client.subscribe("/spotMarket/tradeOrdersV2", "/account/balance")
    rng = Random(seed)
    messages: list[dict[str, Any]] = []
    for _ in range(15):
        for _ in range(10):
            act_at_random(stand, rng)
        messages += await client.messages()
    stand.pass_time(10)
    messages += await client.messages()
    events_of: dict[str, list[dict[str, Any]]] = {}
    for message in messages:
        if message["subject"] == "orderChange":
            events_of.setdefault(message["data"]["orderId"], []).append(message["data"])
    orders = {order_id_text(SYMBOL, o.order_id): o for o in stand.venue.all_orders(stand.account, SYMBOL, limit=10**6)}
    assert events_of.keys() == orders.keys()
    for order_id, events in events_of.items():
        order, last = orders[order_id], events[-1]
        kinds = [event["type"] for event in events]
        assert (kinds[0], kinds.count("received"), kinds.count("open") <= 1) == ("received", 1, True)
        assert (last["status"] == "done") is not order.status.is_open
        assert [event["status"] for event in events].count("done") == (not order.status.is_open)
        matched = sum(Decimal(event["matchSize"]) for event in events if event["type"] == "match")
        assert matched == Decimal(last["filledSize"]) == order.filled
        if order.status.is_open:
            assert ("open" in kinds, Decimal(last["remainSize"])) == (True, order.remaining)
        else:
            assert Decimal(last["canceledSize"]) == order.quantity - order.filled
    balances = {m["data"]["currency"]: m["data"] for m in messages if m["subject"] == "account.balance"}
    for asset, shown in balances.items():
        balance = stand.account.balance(asset)
        assert (Decimal(shown["available"]), Decimal(shown["hold"])) == (balance.free, balance.locked)
