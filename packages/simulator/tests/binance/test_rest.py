"""The HTTP face: how requests are signed, refused, counted and answered."""

import hashlib
import hmac
import time
from typing import Any

import pytest
from aiohttp import ClientSession

from millrace_simulator.binance.exchange import AccountOperation
from millrace_simulator.binance.limits import IGNORED_BEFORE_BAN
from millrace_simulator.binance.rest import ROUTES
from millrace_simulator.config import Limits

pytestmark = pytest.mark.asyncio(loop_scope="session")

RESTING = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "1", "price": "6"}
CANCEL = "symbol=KCSUSDT&origClientOrderId=resting"
ORDER = "symbol=KCSUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=6"


def stamped(params: str) -> str:
    """The parameters with the time of now."""
    return f"{params}&timestamp={time.time_ns() // 1_000_000}"


def sign(payload: str) -> str:
    """The demo account's signature."""
    return hmac.new(b"demo-secret", payload.encode(), hashlib.sha256).hexdigest()


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize("where", ["query", "body", "split", "signature in query"])
async def test_parameters_count_wherever_they_are_sent(client: Any, method: str, where: str) -> None:
    """In the query, in a form body, split over both: the signature covers them in the order sent."""
    await client.order(**RESTING, newClientOrderId="resting")
    path, params = "/api/v3/order", stamped(ORDER if method == "POST" else CANCEL)
    first, second = params.rsplit("&", 2)[0], "&".join(params.rsplit("&", 2)[1:])
    query, body = {
        "query": (f"{params}&signature={sign(params)}", None),
        "body": ("", f"{params}&signature={sign(params)}"),
        "split": (first, f"{second}&signature={sign(first + second)}"),
        "signature in query": (f"{first}&signature={sign(first + second)}", second),
    }[where]
    answer = await client.send(method, path, query, body, key=client.key)
    assert answer.status == 200, answer.body


@pytest.mark.parametrize(
    ("key", "refusal"),
    [(None, (401, -2014)), ("with space", (401, -2014)), ("nobody", (401, -2015)), ("Demo-key", (401, -2015))],
)
async def test_a_key_that_is_missing_or_nobodys_is_refused(
    client: Any, key: str | None, refusal: tuple[int, int]
) -> None:
    """Without a key, with a malformed one, with an unknown one: 401 and its code."""
    params = stamped("")[1:]
    answer = await client.send("GET", "/api/v3/account", f"{params}&signature={sign(params)}", key=key)
    assert answer.refusal == refusal


async def test_a_wrong_secret_is_refused(client: Any) -> None:
    """The signature must be made with the account's own secret."""
    answer = await client.signed("GET", "/api/v3/account", secret="other")
    assert answer.refusal == (400, -1022)
    assert answer.body["msg"] == "Signature for this request is not valid."


async def test_an_old_request_is_refused(client: Any) -> None:
    """A request from before its window is not executed."""
    late = time.time_ns() // 1_000_000 - 6000
    assert (await client.signed("GET", "/api/v3/account", timestamp=late)).refusal == (400, -1021)
    assert (await client.signed("GET", "/api/v3/account", timestamp=late, recvWindow=10_000)).status == 200


@pytest.mark.parametrize("limits", [Limits()])
async def test_every_answer_says_what_was_used(limited: Any) -> None:
    """Answers and refusals carry the weight that this address has used, by Binance's published weights."""
    assert (await limited.get("/api/v3/ping")).headers["X-MBX-USED-WEIGHT-1M"] == "1"
    assert (await limited.get("/api/v3/depth", symbol="BTCUSDT", limit=500)).headers["X-MBX-USED-WEIGHT-1M"] == "26"
    refused = await limited.get("/api/v3/depth", symbol="NOSUCH")
    assert (refused.refusal, refused.headers["X-MBX-USED-WEIGHT"]) == ((400, -1121), "31")


@pytest.mark.parametrize("limits", [Limits()])
async def test_orders_say_how_many_were_placed(limited: Any) -> None:
    """Each new order is counted against the account and the count is in its answer."""
    for count in ("1", "2"):
        placed = await limited.order(**RESTING)
        assert placed.headers["X-MBX-ORDER-COUNT-10S"] == placed.headers["X-MBX-ORDER-COUNT-1D"] == count
    usage = (await limited.signed("GET", "/api/v3/rateLimit/order")).body
    assert [(rule["interval"], rule["count"]) for rule in usage] == [("SECOND", 2), ("DAY", 2)]


@pytest.mark.parametrize("limits", [Limits(weight_per_minute=3)])
async def test_over_the_limit_is_429_and_then_418(limited: Any) -> None:
    """Over the weight a client must wait; one that continues is banned."""
    answers = [await limited.get("/api/v3/ping") for _ in range(3 + IGNORED_BEFORE_BAN + 1)]
    assert [answer.status for answer in answers] == [200] * 3 + [429] * IGNORED_BEFORE_BAN + [418]
    assert (answers[3].body["code"], answers[-1].headers["Retry-After"]) == (-1003, "120")


@pytest.mark.parametrize("limits", [Limits(orders_per_10_seconds=1)])
async def test_orders_over_the_limit_are_refused(limited: Any) -> None:
    """The order beyond the limit is 429 with -1015 and the seconds until the window ends, and is not placed."""
    clock = limited.server.venue.clock
    clock.reach(clock.now_us() // 10_000_000 * 10_000_000 + 13_000_000)
    assert (await limited.order(**RESTING)).status == 200
    refused = await limited.order(**RESTING)
    assert (refused.refusal, refused.headers["Retry-After"]) == ((429, -1015), "7")
    assert len((await limited.signed("GET", "/api/v3/openOrders")).body) == 1


async def test_an_unknown_path_is_404_as_json(client: Any) -> None:
    """Unknown paths are answered in JSON, as everywhere."""
    answer = await client.send("GET", "/api/v3/nothing")
    assert answer.status == answer.body["status"] == 404


@pytest.mark.parametrize(("method", "path"), list(ROUTES))
async def test_an_unknown_parameter_is_refused_everywhere(client: Any, method: str, path: str) -> None:
    """Every path refuses a parameter that it does not read, and says how many it did read."""
    operation = ROUTES[method, path]
    needed = dict.fromkeys(operation.needs, "1")
    answer = await client.signed(method, path, **needed, novelty="1")
    signed = 2 if isinstance(operation, AccountOperation) else 0
    read, sent = len(needed) + signed, len(needed) + 3
    assert answer.refusal == (400, -1104)
    assert answer.body["msg"] == f"Not all sent parameters were read; read '{read}' parameter(s) but was sent '{sent}'."


async def test_a_misspelled_parameter_is_unknown_before_the_right_one_is_missed(client: Any) -> None:
    """As at Binance: `timeInforce` is not read, and nothing is said of `timeInForce`; of the symbol it is."""
    order = {name: value for name, value in RESTING.items() if name != "timeInForce"}
    answer = await client.order(**order, timeInforce="GTC")
    assert (answer.refusal, "read '7' parameter(s) but was sent '8'" in answer.body["msg"]) == ((400, -1104), True)
    assert (await client.get("/api/v3/depth", Symbol="KCSUSDT")).refusal == (400, -1102)


async def test_an_empty_parameter_is_refused_where_it_would_not_be_read_too(client: Any) -> None:
    """A market order has no time in force, but an empty one is refused as empty, and so is a mandatory one."""
    for params in ({"side": "BUY", "type": "MARKET", "quantity": "1", "timeInForce": ""}, {**RESTING, "side": ""}):
        assert (await client.order(**params)).refusal == (400, -1105)


async def test_a_duplicate_parameter_is_refused(client: Any) -> None:
    """Two values for one name are ambiguous."""
    answer = await client.send("GET", "/api/v3/depth", "symbol=KCSUSDT&symbol=BTCUSDT")
    assert answer.refusal == (400, -1101)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_listen_keys_are_gone(client: Any, method: str) -> None:
    """The web server answers 410 with a page, as Binance's does."""
    url = f"{client.server.url}/api/v3/userDataStream"
    async with ClientSession() as session, session.request(method, url, headers={"X-MBX-APIKEY": client.key}) as answer:
        assert (answer.status, "<h1>410 Gone</h1>" in await answer.text()) == (410, True)


async def test_a_symbols_status_is_compared(client: Any) -> None:
    """Every listed symbol trades: another status is an error for one symbol and leaves out all of several."""
    for path in ("/api/v3/depth", "/api/v3/ticker/price"):
        assert (await client.get(path, symbol="KCSUSDT", symbolStatus="TRADING")).status == 200
        assert (await client.get(path, symbol="KCSUSDT", symbolStatus="HALT")).refusal == (400, -1220)
        assert (await client.get(path, symbol="KCSUSDT", symbolStatus="OPEN")).refusal == (400, -1122)
    assert (await client.get("/api/v3/ticker/price", symbolStatus="BREAK")).body == []


@pytest.mark.parametrize("unit", ["MICROSECOND", "microsecond", "MILLISECOND", None])
async def test_times_are_in_the_unit_that_a_header_asks_for(client: Any, unit: str | None) -> None:
    """All times of an answer, and the end of a kline as its last microsecond."""
    client.time_unit = unit
    digits = 16 if unit and unit.upper() == "MICROSECOND" else 13
    order = (await client.order(**RESTING)).body
    kline = (await client.get("/api/v3/klines", symbol="KCSUSDT", interval="1m", limit=1)).body[0]
    day = (await client.get("/api/v3/ticker/24hr", symbol="KCSUSDT")).body
    found = (await client.signed("GET", "/api/v3/order", symbol="KCSUSDT", orderId=order["orderId"])).body
    times = [order["transactTime"], order["workingTime"], kline[0], kline[6], day["openTime"], found["updateTime"]]
    assert {len(str(time)) for time in times} == {digits}
    assert kline[6] + 1 == kline[0] + (60_000 if digits == 13 else 60_000_000)
    since = await client.signed("GET", "/api/v3/allOrders", symbol="KCSUSDT", startTime=found["time"])
    assert since.body[0]["orderId"] == order["orderId"]


async def test_an_unknown_unit_of_times_is_refused(client: Any) -> None:
    """It is not taken for milliseconds."""
    client.time_unit = "SECOND"
    assert (await client.get("/api/v3/time")).refusal == (400, -1194)
