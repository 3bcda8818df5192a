"""Requests of the WebSocket API: who may ask what, and what is answered."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from millrace_simulator.venue import ManualClock

if TYPE_CHECKING:
    from millrace_simulator.server import Server

    from .conftest import ApiClient, Connect, Signer

RESTING: dict[str, Any] = {
    "symbol": "KCSUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "price": "5",
    "quantity": "2",
}


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


async def test_public_methods_need_no_key(client: ApiClient) -> None:
    """Time, rules and market data need no account; a version before the method changes nothing."""
    assert await client.result("ping") == {}
    assert abs((await client.result("v3/time"))["serverTime"] - _now_ms()) < 5_000
    assert len((await client.result("depth", symbol="BTCUSDT", limit=5))["bids"]) == 5
    (listed,) = (await client.result("exchangeInfo", symbol="BTCUSDT"))["symbols"]
    assert listed["symbol"] == "BTCUSDT"


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("exchangeInfo", {"symbols": ["BTCUSDT", "KCSUSDT"]}),
        ("trades.recent", {"symbol": "BTCUSDT"}),
        ("trades.aggregate", {"symbol": "BTCUSDT"}),
        ("klines", {"symbol": "BTCUSDT", "interval": "1m", "limit": 10}),
        ("uiKlines", {"symbol": "BTCUSDT", "interval": "1h"}),
        ("avgPrice", {"symbol": "BTCUSDT"}),
        ("ticker.24hr", {"symbol": "BTCUSDT"}),
        ("ticker.price", {"symbols": ["BTCUSDT", "KCSUSDT"]}),
        ("ticker.book", {"symbol": "BTCUSDT"}),
    ],
)
async def test_every_market_method_is_there(client: ApiClient, method: str, params: dict[str, Any]) -> None:
    """Each returns what its REST path returns; lists are real JSON lists."""
    assert await client.result(method, **params) is not None


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("openOrders.status", {}),
        ("allOrders", {"symbol": "KCSUSDT"}),
        ("myTrades", {"symbol": "KCSUSDT"}),
        ("account.status", {"omitZeroBalances": True}),
        ("account.commission", {"symbol": "KCSUSDT"}),
        ("account.rateLimits.orders", {}),
        ("order.test", RESTING),
    ],
)
async def test_every_account_method_takes_a_signed_request(
    client: ApiClient, sign: Signer, method: str, params: dict[str, Any]
) -> None:
    """Booleans are signed in lower case, whatever the client's language writes."""
    assert await client.result(method, **sign(**params)) is not None


async def test_an_unknown_method_is_refused(client: ApiClient) -> None:
    """The refusal carries the request's id."""
    answer = await client.call("order.plaice")
    assert (answer["id"], answer["status"], answer["error"]["code"]) == (1, 400, -1020)


async def test_what_is_no_request_is_refused_and_the_connection_lives_on(client: ApiClient) -> None:
    """Text that is no JSON is answered too."""
    await client.socket.send_str("{")
    answer = await client.socket.receive_json()
    assert (answer["id"], answer["status"], answer["error"]["code"]) == (None, 400, -1135)
    assert await client.result("ping") == {}


async def test_an_order_is_placed_queried_and_canceled(client: ApiClient, sign: Signer) -> None:
    """An order id may be a number or a text."""
    placed = await client.result("order.place", **sign(**RESTING, newClientOrderId="mine"))
    assert (placed["clientOrderId"], placed["status"], placed["fills"]) == ("mine", "NEW", [])
    for order_id in (placed["orderId"], str(placed["orderId"])):
        shown = await client.result("order.status", **sign(symbol="KCSUSDT", orderId=order_id))
        assert (shown["status"], shown["price"]) == ("NEW", "5.00000000")
    assert len(await client.result("openOrders.status", **sign(symbol="KCSUSDT"))) == 1
    canceled = await client.result("order.cancel", **sign(symbol="KCSUSDT", orderId=str(placed["orderId"])))
    assert (canceled["origClientOrderId"], canceled["status"]) == ("mine", "CANCELED")
    assert await client.refusal("order.cancel", **sign(symbol="KCSUSDT", origClientOrderId="mine")) == -2011
    assert await client.refusal("openOrders.cancelAll", **sign(symbol="KCSUSDT")) == -2011


async def test_an_order_is_replaced(client: ApiClient, sign: Signer) -> None:
    """Cancel-replace works as over REST, its partial failure with status 409 too."""
    placed = await client.result("order.place", **sign(**RESTING))
    replace = {**RESTING, "cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrderId": placed["orderId"], "price": "6"}
    replaced = await client.result("order.cancelReplace", **sign(**replace))
    assert (replaced["cancelResult"], replaced["newOrderResult"]) == ("SUCCESS", "SUCCESS")
    replace["cancelReplaceMode"] = "ALLOW_FAILURE"
    answer = await client.call("order.cancelReplace", **sign(**replace))
    assert (answer["status"], answer["error"]["code"]) == (409, -2021)
    assert answer["error"]["data"]["newOrderResult"] == "SUCCESS"


async def test_a_wrong_signature_is_refused(client: ApiClient, sign: Signer) -> None:
    """What was signed must be what is sent."""
    assert await client.refusal("order.place", **{**sign(**RESTING), "price": "6"}) == -1022
    assert await client.refusal("account.status", **{**sign(), "apiKey": "nobody"}) == -2015
    assert await client.refusal("account.status", **sign(timestamp=_now_ms() - 60_000)) == -1021
    assert await client.refusal("account.status") == -1102


async def test_rate_limits_are_reported_unless_they_are_not_wanted(
    client: ApiClient, connect: Connect, sign: Signer, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights come with every answer, order counts with those to orders; a request or the address can refuse them."""
    # Counts begin again with each window, so no window may end here.
    monkeypatch.setattr(server.venue, "clock", ManualClock(server.venue.clock.now_us()))
    (weight,) = (await client.call("ping"))["rateLimits"]
    assert weight["rateLimitType"] == "REQUEST_WEIGHT"
    (later,) = (await client.call("ping"))["rateLimits"]
    assert later["count"] == weight["count"] + 1
    reported = (await client.call("order.place", **sign(**RESTING)))["rateLimits"]
    assert [each["rateLimitType"] for each in reported] == ["ORDERS", "ORDERS", "REQUEST_WEIGHT"]
    assert reported[0]["count"] == 1
    assert "rateLimits" not in await client.call("ping", returnRateLimits=False)
    silent = await connect("?returnRateLimits=false")
    assert "rateLimits" not in await silent.call("ping")
    assert "rateLimits" in await silent.call("ping", returnRateLimits=True)


async def test_only_an_ed25519_key_can_log_on(client: ApiClient, sign: Signer) -> None:
    """An HMAC key signs each request instead."""
    assert await client.refusal("session.logon", **sign()) == -4056
    assert (await client.result("session.status"))["apiKey"] is None


async def test_a_session_needs_no_signatures(client: ApiClient, sign: Signer, sign_ed25519: Signer) -> None:
    """After logon a time is enough, until logout; a request may still be signed by another account."""
    logged_on = await client.result("session.logon", **sign_ed25519())
    assert logged_on["apiKey"] == "ed25519-key"
    assert logged_on["authorizedSince"] >= logged_on["connectedSince"]
    placed = await client.result("order.place", **RESTING, timestamp=_now_ms())
    assert await client.refusal("order.place", **RESTING) == -1102
    assert await client.refusal("order.status", **sign(symbol="KCSUSDT", orderId=placed["orderId"])) == -2013
    logged_out = await client.result("session.logout")
    assert (logged_out["apiKey"], logged_out["authorizedSince"]) == (None, None)
    assert await client.refusal("order.place", **RESTING, timestamp=_now_ms()) == -1102


async def test_a_logon_with_a_wrong_signature_logs_nobody_on(client: ApiClient, sign_ed25519: Signer) -> None:
    """The session stays as it was."""
    assert await client.refusal("session.logon", **{**sign_ed25519(), "timestamp": _now_ms() + 1}) == -1022
    assert (await client.result("session.status"))["apiKey"] is None


async def test_an_unknown_parameter_is_refused(client: ApiClient, sign: Signer) -> None:
    """Of a method of the exchange as of one of the session; `returnRateLimits` belongs to every request."""
    assert await client.refusal("depth", symbol="KCSUSDT", novelty=1) == -1104
    assert await client.refusal("session.status", novelty=1) == -1104
    answer = await client.call("account.status", **sign(novelty=1))
    assert answer["error"]["msg"] == "Not all sent parameters were read; read '3' parameter(s) but was sent '4'."
    assert "rateLimits" not in await client.call("account.status", **sign(returnRateLimits=False))
