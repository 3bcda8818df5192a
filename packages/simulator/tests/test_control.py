"""The control plane: status, recorded books, all trades, pause and resume."""

import asyncio
import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from aiohttp import ClientSession
from msgspec.structs import replace
from yarl import URL

from millrace_simulator.config import default_config
from millrace_simulator.server import Server, serve

SMALL = replace(default_config(), symbols=default_config().symbols[:1])
"""BTCUSDT alone: an exchange that starts at once."""


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """A simulator that records; its market stands until it is stepped."""
    async with await serve(replace(SMALL, record=True), drive_market=False) as running:
        yield running


@pytest.fixture
async def session(server: Server) -> AsyncIterator[ClientSession]:
    """A client of it."""
    async with ClientSession(server.url) as session:
        yield session


async def get(session: ClientSession, path: str, **params: Any) -> Any:
    """A decoded answer that must be a success."""
    async with session.get(path, params=params) as response:
        assert response.status == 200, await response.text()
        return await response.json()


def step(server: Server, seconds: float) -> None:
    """Let the market run for this long at once."""
    server.market.step(server.venue.clock.now_us() + int(seconds * 1_000_000))


async def test_a_past_book_is_answered_exactly(server: Server, session: ClientSession) -> None:
    """The book as of an update id is the book that REST gave at that id, however much happened since."""
    then = await get(session, "/api/v3/depth", symbol="BTCUSDT", limit=5000)
    step(server, 5)
    now = await get(session, "/simulator/book", symbol="BTCUSDT")
    assert now["lastUpdateId"] > then["lastUpdateId"]
    assert await get(session, "/simulator/book", symbol="BTCUSDT", updateId=then["lastUpdateId"]) == then
    assert await get(session, "/simulator/book", symbol="BTCUSDT", updateId=now["lastUpdateId"]) == now


async def test_the_changes_of_a_book_lead_from_one_to_another(server: Server, session: ClientSession) -> None:
    """The changes after an update id, one for each, turn the book of then into the one of now."""
    then = await get(session, "/simulator/book", symbol="BTCUSDT")
    step(server, 5)
    now = await get(session, "/simulator/book", symbol="BTCUSDT")
    answer = await get(session, "/simulator/changes", symbol="BTCUSDT", fromUpdateId=then["lastUpdateId"] + 1)
    assert answer["firstUpdateId"] == then["lastUpdateId"] + 1
    assert len(answer["changes"]) == now["lastUpdateId"] - then["lastUpdateId"]
    for side, name in (("BUY", "bids"), ("SELL", "asks")):
        changed = {price: total for at, price, total in answer["changes"] if at == side}
        levels = dict(then[name]) | changed
        assert {price: total for price, total in levels.items() if float(total)} == dict(now[name])


async def test_all_trades_are_given(server: Server, session: ClientSession) -> None:
    """Every trade from an id on, in order, without the limit that Binance's own paths have."""
    step(server, 60)
    trades = await get(session, "/simulator/trades", symbol="BTCUSDT", fromId=0)
    ids = [trade["id"] for trade in trades]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert (await get(session, "/simulator/trades", symbol="BTCUSDT", fromId=ids[-1]))[0] == trades[-1]


async def test_paused_participants_do_nothing(server: Server, session: ClientSession) -> None:
    """Between pause and resume no book changes."""
    async with session.post("/simulator/pause") as response:
        assert await response.json() == {"paused": True}
    before = await get(session, "/simulator/status")
    step(server, 5)
    assert (await get(session, "/simulator/status"))["events"] == before["events"]
    async with session.post("/simulator/resume") as response:
        assert await response.json() == {"paused": False}
    step(server, 10)
    assert (await get(session, "/simulator/status"))["events"] > before["events"]


async def test_the_clock_is_shifted(server: Server, session: ClientSession) -> None:
    """Both ways, and back; what is no number of ms is refused."""
    for ahead_ms in (60_000, -60_000, 0):
        async with session.post(f"/simulator/clock?aheadMs={ahead_ms}") as response:
            assert await response.json() == {"aheadMs": ahead_ms}
        assert abs(server.venue.clock.now_us() / 1_000 - ahead_ms - time.time() * 1_000) < 10_000
    async with session.post("/simulator/clock?aheadMs=x") as response:
        assert response.status == 400


async def test_status_shows_what_runs(session: ClientSession) -> None:
    """Seed, pace, symbols."""
    status = await get(session, "/simulator/status")
    assert (status["seed"], status["paused"], status["recording"]) == (default_config().seed, False, True)
    assert list(status["symbols"]) == ["BTCUSDT"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/simulator/book?symbol=NOSUCH", 404),
        ("/simulator/book?symbol=BTCUSDT&updateId=999999999999", 404),
        ("/simulator/book?symbol=BTCUSDT&updateId=last", 400),
        ("/simulator/trades", 404),
    ],
)
async def test_what_is_not_there_is_said_so(session: ClientSession, path: str, status: int) -> None:
    """Refusals are JSON and say why."""
    async with session.get(path) as response:
        assert response.status == status
        assert (await response.json())["error"]


async def test_without_recording_there_is_no_past() -> None:
    """A simulator that does not record says so."""
    async with (
        await serve(SMALL, drive_market=False) as server,
        ClientSession(server.url) as session,
        session.get("/simulator/book?symbol=BTCUSDT&updateId=1") as response,
    ):
        assert response.status == 409


CHINESE = "这是测试币USDT"
LISTING = {
    "symbol": CHINESE,
    "base": "这是测试币",
    "quote": "USDT",
    "tickSize": "0.001",
    "lotSize": "0.1",
    "openingPrice": "2.500",
}


def signed(**params: Any) -> str:
    """Return a query that the demo account signed, percent-encoded as Binance wants it."""
    query = urlencode({**params, "timestamp": time.time_ns() // 1_000_000})
    return f"{query}&signature={hmac.new(b'demo-secret', query.encode(), hashlib.sha256).hexdigest()}"


async def keep_moving(server: Server) -> None:
    """Step the market until cancelled."""
    while True:
        step(server, 10)
        await asyncio.sleep(0.01)


async def test_a_symbol_is_listed_while_the_exchange_runs(server: Server, session: ClientSession) -> None:
    """One beyond ASCII too: every path takes it percent-encoded, and streams name it as they are asked for it."""
    stream = f"{CHINESE.lower()}@depth@100ms"
    async with session.post("/simulator/symbols", json=LISTING) as response:
        assert (response.status, await response.json()) == (200, {"symbol": CHINESE})
    (shown,) = (await get(session, "/api/v3/exchangeInfo", symbol=CHINESE))["symbols"]
    assert (shown["symbol"], shown["baseAsset"]) == (CHINESE, LISTING["base"])
    assert len((await get(session, "/api/v3/depth", symbol=CHINESE))["bids"]) == 100
    assert len(await get(session, "/api/v3/ticker/price", symbols=f'["BTCUSDT","{CHINESE}"]')) == 2
    assert (await get(session, "/simulator/status"))["symbols"][CHINESE]
    order = signed(symbol=CHINESE, side="BUY", type="MARKET", quantity="10")
    url, key = URL(f"{server.url}/api/v3/order?{order}", encoded=True), {"X-MBX-APIKEY": "demo-key"}
    async with session.post(url, headers=key) as response:
        placed = await response.json()
    assert (response.status, placed["symbol"], placed["status"]) == (200, CHINESE, "FILLED")
    named = f"/stream?streams={quote(stream)}"
    async with session.ws_connect(named) as combined, session.ws_connect(f"/ws/{quote(stream)}") as raw:
        # Again and again: the exchange may take up a stream only after the handshake is answered.
        moving = asyncio.create_task(keep_moving(server))
        assert (await combined.receive_json())["stream"] == stream
        assert (await raw.receive_json())["s"] == CHINESE
        moving.cancel()


async def test_what_cannot_be_listed_is_refused(session: ClientSession) -> None:
    """A symbol twice, one without its steps, one whose price lies between two ticks."""
    for listing, status in (
        ({**LISTING, "symbol": "BTCUSDT"}, 409),
        ({"symbol": CHINESE}, 400),
        ({**LISTING, "openingPrice": "2.5001"}, 400),
    ):
        async with session.post("/simulator/symbols", json=listing) as response:
            assert response.status == status
            assert (await response.json())["error"]
