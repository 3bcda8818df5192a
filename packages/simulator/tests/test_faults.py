"""Faults on command: what a client sees of each, and what the exchange did."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from http import HTTPStatus
from random import Random
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import ClientPayloadError, ClientSession
from msgspec.structs import replace
from packages.simulator.tests.test_control import get, signed
from yarl import URL

from millrace_matching import OrderType, Side
from millrace_simulator.config import DEMO_ACCOUNT, default_config
from millrace_simulator.faults.events import mutated
from millrace_simulator.listings import DialectName
from millrace_simulator.server import Server, serve
from millrace_simulator.venue import OrderRequest
from millrace_simulator.venue.errors import UnknownOrder

SMALL = replace(default_config(), symbols=default_config().symbols[:1])
KEY = {"X-MBX-APIKEY": "demo-key"}
ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.1"}


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """An exchange whose market stands still."""
    async with await serve(SMALL, drive_market=False) as running:
        yield running


@pytest.fixture
async def session(server: Server) -> AsyncIterator[ClientSession]:
    """A client of it."""
    async with ClientSession(server.url) as session:
        yield session


async def let_happen(session: ClientSession, **rule: Any) -> None:
    """Put a rule in force, as a person does with curl."""
    async with session.post("/simulator/faults", json=rule) as response:
        assert response.status == 200, await response.text()


async def buy(session: ClientSession, server: Server) -> tuple[int, str, Any]:
    """Buy over HTTP; return what is answered."""
    url = URL(f"{server.url}/api/v3/order?{signed(**ORDER)}", encoded=True)
    async with session.post(url, headers=KEY) as response:
        return response.status, await response.text(), response.headers


def bought(server: Server) -> int:
    """Return how many orders the exchange has."""
    venue = server.venue
    return len(list(venue.all_orders(venue.account_by_key("demo-key"), "BTCUSDT")))


@pytest.mark.parametrize(("kind", "orders"), [("dropped", 0), ("lost", 1)])
async def test_the_connection_ends_before_or_after(
    session: ClientSession, server: Server, kind: str, orders: int
) -> None:
    """The client sees the same; the exchange carried the second out. With `count`, the next one is answered."""
    await let_happen(session, kinds=[kind], requests="POST /api/v3/order", count=1)
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await buy(session, server)
    assert bought(server) == orders
    assert (await buy(session, server))[0] == 200
    assert (await get(session, "/simulator/faults")) == {"rule": None, "done": {kind: 1}}


@pytest.mark.parametrize(
    ("kind", "status", "text", "orders"),
    [
        ("failed", 503, "-1007", 1),
        ("limited", 429, "-1003", 0),
        ("banned", 418, "-1003", 0),
        ("overloaded", 503, "-1008", 0),
        ("revoked", 401, "-2015", 0),
    ],
)
async def test_what_is_refused_and_what_only_says_so(
    session: ClientSession, server: Server, kind: str, status: int, text: str, orders: int
) -> None:
    """A refusal is true, with the time to wait; "unknown outcome" comes after the order."""
    await let_happen(session, kinds=[kind], retryAfterS=7)
    answered, body, headers = await buy(session, server)
    assert (answered, bought(server)) == (status, orders)
    assert text in body
    assert headers.get("Retry-After") == ("7" if kind in ("limited", "banned", "overloaded") else None)


async def test_an_answer_is_garbled_foreign_or_late(session: ClientSession, server: Server) -> None:
    """Each has status 200, and the order is there."""
    first = (await buy(session, server))[1]
    await let_happen(session, rate=0.0)
    former = (await buy(session, server))[1]
    await let_happen(session, kinds=["halted"])
    assert (await buy(session, server))[0] == HTTPStatus.BAD_REQUEST
    await let_happen(session, kinds=["foreign"])
    assert (await buy(session, server))[:2] == (200, former)
    await let_happen(session, kinds=["garbled"])
    assert (await buy(session, server))[1] not in (first, former)
    began_s = asyncio.get_running_loop().time()
    await let_happen(session, kinds=["late"], lateMs=200)
    assert '"FILLED"' in (await buy(session, server))[1]
    assert asyncio.get_running_loop().time() - began_s >= 0.2
    assert bought(server) == 5


async def test_what_hangs_ends_with_its_rule(session: ClientSession, server: Server) -> None:
    """Nothing is answered until a person ends it; other requests are not concerned."""
    await let_happen(session, kinds=["hanging"], requests="POST *")
    hanging = asyncio.create_task(buy(session, server))
    assert (await get(session, "/api/v3/ping")) == {}
    while not bought(server):
        await asyncio.sleep(0)
    assert not hanging.done()
    async with session.delete("/simulator/faults") as response:
        assert (await response.json())["rule"] is None
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await hanging


async def test_the_websocket_api_has_them_too(session: ClientSession, server: Server) -> None:
    """Answered twice, garbled, refused with the time to wait, and cut."""
    async with session.ws_connect("/ws-api/v3") as socket:
        ping = {"id": 1, "method": "ping"}
        await let_happen(session, kinds=["doubled"], requests="ping", count=1)
        await socket.send_json(ping)
        assert await socket.receive_json() == await socket.receive_json()
        await let_happen(session, kinds=["garbled"])
        await socket.send_json(ping)
        assert '"status":200' not in await socket.receive_str()
        await let_happen(session, kinds=["limited"], retryAfterS=3)
        await socket.send_json(ping)
        refusal = await socket.receive_json()
        data = refusal["error"]["data"]
        assert (refusal["status"], data["retryAfter"] - data["serverTime"]) == (429, 3000)
        await let_happen(session, kinds=["lost"])
        await socket.send_json(ping)
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSED


async def test_kucoin_words_its_own() -> None:
    """A refusal has its code; what it does not have never happens."""
    config = replace(default_config("kucoin"), symbols=default_config("kucoin").symbols[:1])
    async with await serve(config, drive_market=False) as server, ClientSession(server.url) as session:
        await let_happen(session, kinds=["limited"])
        async with session.get("/api/v1/timestamp") as response:
            assert (response.status, (await response.json())["code"]) == (429, "429000")
            pause = {"gw-ratelimit-reset": "2000"}
            assert {name: response.headers.get(name) for name in (*pause, "Retry-After")} == {
                **pause,
                "Retry-After": None,
            }
        await let_happen(session, kinds=["banned"])
        assert (await get(session, "/api/v1/timestamp"))["code"] == "200000"


@pytest.mark.parametrize("rule", [{"kinds": ["rained"]}, {"rate": 2}, {"count": 0}, {"kind": "lost"}, {"kinds": []}])
async def test_a_wrong_rule_is_refused(session: ClientSession, rule: dict[str, Any]) -> None:
    """It says what is wrong; what was in force stays."""
    await let_happen(session, kinds=["late"])
    async with session.post("/simulator/faults", json=rule) as response:
        assert response.status == 400
        assert (await response.json())["error"]
    assert (await get(session, "/simulator/faults"))["rule"]["kinds"] == ["late"]


def rest(server: Server, client_order_id: str = "resting") -> None:
    """Place an order that rests far from the price, as another connection of the account might."""
    venue = server.venue
    instrument = next(iter(venue.instruments.values()))
    price = instrument.scale.price(int(instrument.last_price * 0.97))
    lots = instrument.scale.quantity(instrument.typical_lots)
    request = OrderRequest(
        symbol=instrument.symbol,
        side=Side.BUY,
        type=OrderType.LIMIT,
        quantity=lots,
        price=price,
        client_order_id=client_order_id,
    )
    venue.place(venue.account_by_key(DEMO_ACCOUNT.api_key), request)


def order(server: Server) -> Any:
    """Return the newest order that the exchange has."""
    venue = server.venue
    symbol = next(iter(venue.instruments))
    return list(venue.all_orders(venue.account_by_key(DEMO_ACCOUNT.api_key), symbol))[-1]


async def test_corrupt_gzip_is_sent_after_the_order_was_made(session: ClientSession, server: Server) -> None:
    """The answer cannot be unpacked, and the order is there."""
    await let_happen(session, kinds=["corrupt"], requests="POST *", count=1)
    with pytest.raises((ClientPayloadError, aiohttp.ClientResponseError)):
        await buy(session, server)
    assert bought(server) == 1


async def cancel(session: ClientSession, server: Server, verb: str, path: str, **parameters: str) -> Any:
    """Send a signed request about an order; return its status and what is answered."""
    url = URL(f"{server.url}{path}?{signed(symbol='BTCUSDT', **parameters)}", encoded=True)
    async with session.request(verb, url, headers=KEY) as response:
        return response.status, await response.json()


async def test_an_order_is_filled_between_request_and_answer(session: ClientSession, server: Server) -> None:
    """A cancel comes too late, or cancels the rest; the book is whole again."""
    seen = set()
    for seed in range(8):
        rest(server)
        await let_happen(session, kinds=["filled"], requests="DELETE *", seed=seed)
        status, _ = await cancel(session, server, "DELETE", "/api/v3/order", origClientOrderId="resting")
        newest = order(server)
        assert (status == 400) is (newest.status == "FILLED")
        seen.add((newest.status, newest.filled > 0))
    assert {("FILLED", True), ("CANCELED", True)} <= seen
    book = server.venue.instruments["BTCUSDT"].depth()
    assert min(len(book.bids), len(book.asks)) > 50


async def test_a_replacement_is_half_done(session: ClientSession, server: Server) -> None:
    """The order is canceled, and no other takes its place; the next order is accepted."""
    rest(server)
    await let_happen(session, kinds=["halted"], requests="POST *", count=1)
    terms = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.1", "price": str(order(server).price)}
    replacing = {**terms, "cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrigClientOrderId": "resting"}
    status, answer = await cancel(session, server, "POST", "/api/v3/order/cancelReplace", **replacing)
    assert (status, answer["code"], answer["data"]["cancelResult"]) == (409, -2021, "SUCCESS")
    assert (bought(server), order(server).status) == (1, "CANCELED")
    assert (await buy(session, server))[0] == 200


async def test_a_symbol_stops_trading_and_vanishes(session: ClientSession, server: Server) -> None:
    """Halted, it takes no order and keeps those that are open; delisted, it has neither orders nor a name."""
    rest(server)
    venue = server.venue
    async with session.post("/simulator/halt?symbol=BTCUSDT") as response:
        assert response.status == 200
    assert (await get(session, "/api/v3/exchangeInfo"))["symbols"][0]["status"] == "BREAK"
    assert ((await buy(session, server))[0], order(server).status) == (400, "NEW")
    async with session.post("/simulator/trade?symbol=BTCUSDT") as response:
        assert response.status == 200
    assert (await buy(session, server))[0] == 200
    async with session.ws_connect("/ws-api/v3") as socket:
        await subscribe(socket)
        async with session.delete("/simulator/symbols?symbol=BTCUSDT") as response:
            assert response.status == 200
        report = await socket.receive_json()
    assert report["event"]["X"] == "EXPIRED"
    assert (await get(session, "/api/v3/exchangeInfo"))["symbols"] == []
    assert venue.open_orders(venue.account_by_key("demo-key")) == ()
    assert all(balance.locked == 0 for balance in venue.account_by_key("demo-key").balances)
    server.market.step(venue.clock.now_us() + 100_000)
    assert "-1121" in (await buy(session, server))[1]


@pytest.fixture
async def kucoin() -> AsyncIterator[tuple[ClientSession, Server]]:
    """A KuCoin with one symbol, whose market stands still, and a session to it."""
    config = replace(default_config("kucoin"), symbols=default_config("kucoin").symbols[:1])
    async with await serve(config, drive_market=False) as server, ClientSession(server.url) as session:
        yield session, server


async def alter(session: ClientSession, server: Server) -> Any:
    """Double an order; return the answer."""
    price = f"{order(server).price:f}"
    terms = {"symbol": "BTC-USDT", "clientOid": "resting", "newSize": "0.02", "newPrice": price}
    path, body = "/api/v1/hf/orders/alter", json.dumps(terms)
    async with session.post(path, data=body, headers=_kucoin_headers("POST", path, body)) as response:
        return await response.json()


async def test_kucoins_alter_cancels_alone_while_the_market_is_halted(kucoin: tuple[ClientSession, Server]) -> None:
    """The order is gone, and none takes its place; the answer is a refusal. The next order is accepted."""
    session, server = kucoin
    rest(server)
    await let_happen(session, kinds=["halted"], requests="POST *", count=1)
    assert (await alter(session, server))["code"] != "200000"
    assert (order(server).status, len(venue_orders(server))) == ("CANCELED", 1)
    rest(server)
    assert (await alter(session, server))["code"] == "200000"
    assert [each.status for each in venue_orders(server)] == ["CANCELED", "CANCELED", "NEW"]


async def test_kucoins_order_is_filled_while_it_is_altered(kucoin: tuple[ClientSession, Server]) -> None:
    """Before: it cannot be altered, or what is left of it is. After: the one that took its place is filled."""
    session, server = kucoin
    seen = set()
    for seed in range(12):
        rest(server)
        made = len(venue_orders(server))
        await let_happen(session, kinds=["filled"], requests="POST *", seed=seed, count=1)
        is_done = (await alter(session, server))["code"] == "200000"
        altered, *further = venue_orders(server)[made - 1 :]
        assert is_done is (altered.status == "CANCELED")
        assert len(further) == (1 if is_done else 0)
        seen.add((str(altered.status), altered.filled > 0, *(str(each.status) for each in further)))
        with suppress(UnknownOrder):
            server.venue.cancel_all(server.venue.account_by_key("demo-key"), "BTC-USDT")
    assert {("FILLED", True), ("CANCELED", True, "NEW"), ("CANCELED", False, "FILLED")} <= seen


async def test_kucoin_delists_and_numbers_go_on_once_it_is_listed_again(kucoin: tuple[ClientSession, Server]) -> None:
    """Requests are refused meanwhile; afterwards no order or trade has the number of an earlier one."""
    session, server = kucoin
    rest(server)
    former, rules = order(server), next(iter(server.venue.instruments.values())).rules
    instrument = server.venue.instruments["BTC-USDT"]
    async with session.delete("/simulator/symbols?symbol=BTC-USDT") as response:
        assert response.status == 200
    path = "/api/v1/hf/orders/active?symbol=BTC-USDT"
    async with session.get(path, headers=_kucoin_headers("GET", path, "")) as response:
        assert (await response.json())["code"] != "200000"
    async with session.post("/simulator/symbols", data=msgspec.json.encode(rules)) as response:
        assert response.status == 200
    again = server.venue.instruments["BTC-USDT"]
    assert again.last_update_id > instrument.last_update_id
    rest(server)
    assert order(server).order_id > former.order_id
    assert [each.status for each in venue_orders(server)] == ["EXPIRED", "NEW"]
    server.market.step(server.venue.clock.now_us() + 5_000_000)
    numbers = [trade.trade_id for trade in again.tape.since(0)]
    assert numbers == sorted(set(numbers))


def venue_orders(server: Server) -> list[Any]:
    """Return the account's orders, oldest first."""
    venue = server.venue
    return list(venue.all_orders(venue.account_by_key("demo-key"), next(iter(venue.instruments))))


async def subscribe(socket: aiohttp.ClientWebSocketResponse) -> None:
    """Subscribe to the account's events on Binance."""
    parameters = dict(each.split("=") for each in signed(apiKey="demo-key").split("&"))
    method = "userDataStream.subscribe.signature"
    await socket.send_json({"id": 1, "method": method, "params": parameters})
    assert (await socket.receive_json())["status"] == 200


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("missing", ["second"]),
        ("doubled", ["first", "first", "second"]),
        ("late", ["second", "first"]),
        ("mute", ["third"]),
    ],
)
async def test_events_are_missing_doubled_late_or_mute(
    session: ClientSession, server: Server, kind: str, expected: list[str]
) -> None:
    """With `count` it happens to one; a mute line answers pings, and speaks once the rule is gone."""
    rule = {"kinds": [kind], "requests": "EVENT executionReport", "lateMs": 50}
    async with session.ws_connect("/ws-api/v3") as socket:
        await subscribe(socket)
        await let_happen(session, **rule, **({} if kind == "mute" else {"count": 1}))
        rest(server, "first")
        rest(server, "second")
        if kind == "mute":
            await socket.send_json({"id": 2, "method": "ping"})
            assert (await socket.receive_json())["id"] == 2
            async with session.delete("/simulator/faults"):
                rest(server, "third")
        reports: list[str] = []
        while len(reports) < len(expected):
            event = (await socket.receive_json())["event"]
            reports += [event["c"]] if event["e"] == "executionReport" else []
        assert reports == expected


async def test_an_event_cuts_the_private_line(session: ClientSession, server: Server) -> None:
    """The connection ends, and the order is there."""
    async with session.ws_connect("/ws-api/v3") as socket:
        await subscribe(socket)
        await let_happen(session, kinds=["lost"], requests="EVENT *")
        rest(server)
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSED
    assert order(server).status == "NEW"


async def test_kucoins_topics_are_named_as_events() -> None:
    """An account's topic loses its message, and another topic does not."""
    config = replace(default_config("kucoin"), symbols=default_config("kucoin").symbols[:1])
    async with await serve(config, drive_market=False) as server, ClientSession(server.url) as session:
        token = server.exchange.tokens.bullet("", server.venue.account_by_key(DEMO_ACCOUNT.api_key))["token"]
        async with session.ws_connect(f"/endpoint?token={token}") as socket:
            assert (await socket.receive_json())["type"] == "welcome"
            for topic in ("/spotMarket/tradeOrdersV2", "/account/balance"):
                await socket.send_json({"id": 1, "type": "subscribe", "topic": topic, "response": True})
                assert (await socket.receive_json())["type"] == "ack"
            await let_happen(session, kinds=["missing"], requests="EVENT /spotMarket/*")
            rest(server)
            assert (await socket.receive_json())["topic"] == "/account/balance"
            async with session.delete("/simulator/faults"):
                rest(server, "seen")
            assert (await socket.receive_json())["topic"] == "/spotMarket/tradeOrdersV2"


def test_no_mutated_event_is_as_it_was() -> None:
    """Fields are missing, of another type, or name another event or account, at every depth."""
    report = {"e": "executionReport", "i": 7, "z": "1.5", "m": False, "N": None, "B": [{"a": "BTC", "f": "2"}]}
    event = json.dumps({"subscriptionId": 0, "event": report}).encode()
    made = {mutated(event, Random(seed)) for seed in range(500)}
    assert b'"somethingNew"' in b"".join(made)
    assert any(b'"z":1.5' in each for each in made), "no number is written the other way"
    unchanged = [each for each in made if _is_same(each, event)]
    assert unchanged == []


def _is_same(made: bytes, event: bytes) -> bool:
    try:
        return bool(json.dumps(json.loads(made)) == json.dumps(json.loads(event)))
    except ValueError:
        return False


@pytest.mark.parametrize("dialect", ["binance", "kucoin"])
async def test_a_body_that_was_read_for_a_fault_is_still_carried_out(dialect: DialectName) -> None:
    """An order that is sent in a body is placed under a rule as without one."""
    async with await serve(default_config(dialect), drive_market=False) as server, ClientSession(server.url) as session:
        await let_happen(session, kinds=["late"], lateMs=0)
        if dialect == "binance":
            answer = session.post("/api/v3/order", data=signed(**ORDER), headers={**KEY, **_FORM})
        else:
            body = json.dumps({"clientOid": "1", "symbol": "BTC-USDT", "side": "buy", "type": "market", "size": "0.1"})
            path = "/api/v1/hf/orders"
            answer = session.post(path, data=body, headers=_kucoin_headers("POST", path, body))
        async with answer as response:
            assert response.status == 200, await response.text()
            assert "rderId" in await response.text()


_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def _kucoin_headers(method: str, path: str, body: str) -> dict[str, str]:
    """Return the headers of a request that the demo account signed."""
    sent_ms = str(time.time_ns() // 1_000_000)

    def sign(text: str) -> str:
        return base64.b64encode(hmac.new(b"demo-secret", text.encode(), hashlib.sha256).digest()).decode()

    return {
        "KC-API-KEY": "demo-key",
        "KC-API-SIGN": sign(f"{sent_ms}{method}{path}{body}"),
        "KC-API-TIMESTAMP": sent_ms,
        "KC-API-PASSPHRASE": sign("demo-passphrase"),
        "KC-API-KEY-VERSION": "2",
        "Content-Type": "application/json",
    }
