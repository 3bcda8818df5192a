"""Faults on command: what a client sees of each, and what the exchange did."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientSession
from msgspec.structs import replace
from packages.simulator.tests.test_control import get, signed
from yarl import URL

from millrace_simulator.config import default_config
from millrace_simulator.server import Server, serve

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
