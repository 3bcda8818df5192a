"""REST as its bytes are: answers, refusals, signatures, limits."""

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio
from aiohttp import ClientSession
from msgspec.structs import replace

from millrace_simulator.config import Limits, default_config
from millrace_simulator.kucoin.signing import sign
from millrace_simulator.server import serve
from millrace_simulator.venue import ManualClock

from .conftest import PASSPHRASE, SECRET, Client

pytestmark = pytest.mark.asyncio(loop_scope="session")

ORDER = {"symbol": "KCS-USDT", "side": "buy", "type": "limit", "price": "10", "size": "1"}


async def test_an_answer_is_wrapped(client: Client) -> None:
    """Code 200000 and the data; what went wrong has its code, a sentence and an HTTP status."""
    status, headers, body = await client.send("GET", "/api/v1/timestamp")
    assert (status, body["code"], body["data"] > 1_600_000_000_000) == (200, "200000", True)
    assert headers["gw-ratelimit-limit"] == "2000"
    status, _, body = await client.send("GET", "/api/v1/no-such-thing")
    assert (status, body) == (404, {"code": "404000", "msg": "Url Not Found"})
    status, _, body = await client.send("GET", "/api/v1/market/stats?symbol=NO-SUCH")
    assert (status, body["code"], body["msg"]) == (200, "400100", "Unsupported trading pair.")


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"KC_API_KEY": ""}, "400001"),
        ({"KC_API_TIMESTAMP": "1000"}, "400002"),
        ({"KC_API_KEY": "nobody"}, "400003"),
        ({"KC_API_PASSPHRASE": PASSPHRASE}, "400004"),
        ({"KC_API_SIGN": sign("wrong", "text")}, "400005"),
    ],
)
async def test_a_wrong_header_has_its_code(client: Client, changed: dict[str, str], code: str) -> None:
    """Each part of the signature is told apart, with status 401."""
    status, _, body = await client.signed("GET", "/api/v1/accounts", **changed)
    assert (status, body["code"]) == (401, code)


@pytest.mark.parametrize("version", ["1", "2", "3"])
async def test_a_key_signs_its_passphrase_from_its_second_version_on(client: Client, version: str) -> None:
    """A key of the first version sends it as it is."""
    passphrase = PASSPHRASE if version == "1" else sign(SECRET, PASSPHRASE)
    headers = {"KC_API_KEY_VERSION": version, "KC_API_PASSPHRASE": passphrase}
    assert (await client.signed("GET", "/api/v1/accounts", **headers))[0] == 200


async def test_a_signature_covers_the_query_encoded_or_not(client: Client) -> None:
    """Some clients sign the query before they encode it."""
    plain = "/api/v1/trade-fees?symbols=KCS-USDT,BTC-USDT"
    encoded = plain.replace(",", quote(","))
    timestamp = str(client.server.venue.clock.now_us() // 1000)
    signature = sign(SECRET, f"{timestamp}GET{plain}")
    status, _, body = await client.signed("GET", encoded, KC_API_SIGN=signature, KC_API_TIMESTAMP=timestamp)
    assert (status, [fee["symbol"] for fee in body["data"]]) == (200, ["KCS-USDT", "BTC-USDT"])


@pytest.mark.parametrize(
    ("order", "code", "status"),
    [
        ({"side": "hold"}, "400100", 400),
        ({"type": "iceberg"}, "400100", 400),
        ({"size": None}, "400100", 400),
        ({"price": None}, "400100", 400),
        ({"size": "one"}, "400100", 400),
        ({"timeInForce": "GTT"}, "400100", 400),
        ({"type": "market", "funds": "10"}, "400100", 400),
        ({"remark": "far longer than twenty characters"}, "400100", 400),
        ({"symbol": "NO-SUCH"}, "400100", 200),
        ({"size": "0.00001"}, "400100", 200),
        ({"type": "market", "size": None, "funds": "10.00000001"}, "400100", 200),
        ({"tradeType": "MARGIN_TRADE"}, "400100", 200),
        ({"stp": "DC"}, "400100", 200),
        ({"size": "1.00001"}, "600100", 200),
        ({"price": "10.0001"}, "600100", 200),
        ({"size": "0.005"}, "600101", 200),
        ({"price": "1"}, "400370", 200),
        ({"size": "100000"}, "200004", 200),
    ],
)
async def test_a_refused_order_has_its_code(client: Client, order: dict[str, Any], code: str, status: int) -> None:
    """A request that cannot be read is 400; an order that the exchange does not take is 200 with its code."""
    asked = {name: value for name, value in {**ORDER, **order}.items() if value is not None}
    answered, _, body = await client.signed("POST", "/api/v1/hf/orders", json.dumps(asked))
    assert (body["code"], answered) == (code, status)


async def test_an_order_is_shown_with_every_documented_field(client: Client) -> None:
    """What it was placed with, what became of it, and nothing that has no meaning left out."""
    asked = {**ORDER, "clientOid": "rest-1", "remark": "a remark", "tags": "a-tag", "stp": "CN", "hidden": True}
    _, _, body = await client.signed("POST", "/api/v1/hf/orders", json.dumps(asked))
    order_id = body["data"]["orderId"]
    _, _, body = await client.signed("GET", f"/api/v1/hf/orders/{order_id}?symbol=KCS-USDT")
    order = body["data"]
    assert {name: order[name] for name in asked} == asked
    assert (order["funds"], order["dealSize"], order["remainSize"], order["remainFunds"]) == ("10", "0", "1", "10")
    assert (order["active"], order["inOrderBook"], order["cancelExist"], order["timeInForce"]) == (
        True, True, False, "GTC",
    )  # fmt: skip
    await client.signed("DELETE", f"/api/v1/hf/orders/{order_id}?symbol=KCS-USDT")
    _, _, body = await client.signed("GET", "/api/v1/hf/orders/client-order/rest-1?symbol=KCS-USDT")
    order = body["data"]
    assert (order["active"], order["cancelExist"], order["cancelledSize"], order["cancelledFunds"]) == (
        False, True, "1", "10",
    )  # fmt: skip


async def test_an_edit_counts_what_was_filled(client: Client) -> None:
    """The size of an altered order is that of the whole; no order is placed when that much is filled already."""
    venue = client.server.venue
    instrument = venue.instrument("KCS-USDT")
    best = instrument.depth(1).asks[0]
    price, some = instrument.scale.price(best[0]), instrument.scale.quantity(best[1])
    asked = {**ORDER, "price": str(price), "size": str(some + 5)}
    _, _, body = await client.signed("POST", "/api/v1/hf/orders", json.dumps(asked))
    change = {"symbol": "KCS-USDT", "orderId": body["data"]["orderId"], "newSize": str(some + 2)}
    _, _, body = await client.signed("POST", "/api/v1/hf/orders/alter", json.dumps(change))
    new_id = body["data"]["newOrderId"]
    _, _, body = await client.signed("GET", f"/api/v1/hf/orders/{new_id}?symbol=KCS-USDT")
    assert (body["data"]["size"], body["data"]["dealSize"]) == ("2", "0")
    await client.signed("DELETE", "/api/v1/hf/orders?symbol=KCS-USDT")


async def test_several_orders_are_placed_one_by_one(client: Client) -> None:
    """One that is refused says why, and the others are placed; too many are refused together."""
    orders = [ORDER, {**ORDER, "size": "100000"}]
    body = json.dumps({"orderList": orders})
    for path in ("multi", "multi/sync"):
        _, _, answer = await client.signed("POST", f"/api/v1/hf/orders/{path}", body)
        assert [each["success"] for each in answer["data"]] == [True, False]
        assert answer["data"][1]["failMsg"] == "Balance insufficient!"
    _, _, answer = await client.signed("POST", "/api/v1/orders/multi", body)
    assert [each["success"] for each in answer["data"]["data"]] == [True, False]
    status, _, _ = await client.signed("POST", "/api/v1/hf/orders/multi", json.dumps({"orderList": [ORDER] * 21}))
    assert status == 400
    _, _, answer = await client.signed("DELETE", "/api/v1/hf/orders/cancelAll")
    assert answer["data"] == {"succeedSymbols": ["KCS-USDT"], "failedSymbols": []}


async def test_history_goes_on_page_by_page(client: Client) -> None:
    """`lastId` of one page begins the next, without a hole and without a row twice. A window has a week at most."""
    for _ in range(5):
        await client.signed("POST", "/api/v1/hf/orders", json.dumps({**ORDER, "timeInForce": "IOC"}))
    seen, last = [], ""
    while True:
        target = f"/api/v1/hf/orders/done?symbol=KCS-USDT&limit=2{last}"
        page = (await client.signed("GET", target))[2]["data"]
        if not page["items"]:
            break
        seen += [order["id"] for order in page["items"]]
        last = f"&lastId={page['lastId']}"
    assert (len(seen), len(set(seen)), seen) == (5, 5, sorted(seen, reverse=True))
    status, _, body = await client.signed("GET", "/api/v1/hf/fills?symbol=KCS-USDT&startAt=1&endAt=700000000")
    assert (status, body["code"]) == (400, "400100")


@pytest_asyncio.fixture(loop_scope="session")
async def limited() -> AsyncIterator[Client]:
    """A client of an exchange of its own, with small pools and a clock that stands."""
    config = default_config("kucoin")
    limits = Limits(spot_weight_per_30_seconds=10, management_weight_per_30_seconds=10, public_weight_per_30_seconds=10)
    config = replace(config, symbols=config.symbols[3:4], limits=limits)
    async with (
        await serve(config, clock=ManualClock(), drive_market=False) as running,
        ClientSession() as session,
    ):
        yield Client(session, running, "demo-key")


async def test_a_pool_that_is_used_up_refuses(limited: Client) -> None:
    """429 with 429000 and the time until the pool is full again; the other pools go on."""
    for _ in range(2):
        assert (await limited.signed("GET", "/api/v1/accounts"))[0] == 200
    status, headers, body = await limited.signed("GET", "/api/v1/accounts")
    assert (status, body["code"]) == (429, "429000")
    assert (headers["gw-ratelimit-remaining"], headers["gw-ratelimit-reset"]) == ("0", "30000")
    assert (await limited.signed("GET", "/api/v1/hf/orders/active?symbol=KCS-USDT"))[0] == 200
    assert (await limited.send("GET", "/api/v1/timestamp"))[0] == 200
    limited.server.market.step(limited.server.market.now_us + 30_000_000)
    assert (await limited.signed("GET", "/api/v1/accounts"))[0] == 200


async def test_candles_without_trades_are_left_out(client: Client) -> None:
    """Newest first, each within the window that was asked for; an unknown type is refused."""
    now_s = client.server.venue.clock.now_us() // 1_000_000
    target = f"/api/v1/market/candles?symbol=KCS-USDT&type=1min&startAt={now_s - 3600}&endAt={now_s}"
    rows = (await client.send("GET", target))[2]["data"]
    begins = [int(row[0]) for row in rows]
    assert (begins, len(rows) > 40) == (sorted(begins, reverse=True), True)
    assert all(now_s - 3600 <= begin < now_s and begin % 60 == 0 for begin in begins)
    assert all(float(row[5]) > 0 for row in rows)
    assert (await client.send("GET", "/api/v1/market/candles?symbol=KCS-USDT&type=1s"))[0] == 400
