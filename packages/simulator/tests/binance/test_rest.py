"""The HTTP face: how requests are signed, refused, counted and answered."""

import hashlib
import hmac
import time
from typing import Any

import pytest

from millrace_simulator.binance.limits import IGNORED_BEFORE_BAN
from millrace_simulator.config import Limits

pytestmark = pytest.mark.asyncio(loop_scope="session")

RESTING = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "1", "price": "6"}
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
    path, params = ("/api/v3/order", stamped(ORDER)) if method == "POST" else ("/api/v3/openOrders", stamped(ORDER))
    await client.order(**RESTING)
    first, second = params.split("&timeInForce")
    second = "timeInForce" + second
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
    """The order beyond the limit is 429 with -1015, without a time to wait, and is not placed."""
    assert (await limited.order(**RESTING)).status == 200
    refused = await limited.order(**RESTING)
    assert (refused.refusal, "Retry-After" in refused.headers) == ((429, -1015), False)
    assert len((await limited.signed("GET", "/api/v3/openOrders")).body) == 1


async def test_an_unknown_path_is_404_as_json(client: Any) -> None:
    """Unknown paths are answered in JSON, as everywhere."""
    answer = await client.send("GET", "/api/v3/nothing")
    assert answer.status == answer.body["status"] == 404


@pytest.mark.parametrize(
    "path", ["/api/v3/order", "/api/v3/account", "/api/v3/myTrades", "/sapi/v1/capital/config/getall"]
)
async def test_an_unknown_parameter_is_tolerated(client: Any, path: str) -> None:
    """What the exchange does not know does no harm."""
    placed = await client.order(**RESTING, novelty=1)
    answer = await client.signed("GET", path, symbol="KCSUSDT", orderId=placed.body["orderId"], novelty="1")
    assert answer.status == 200
