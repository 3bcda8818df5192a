"""User data events over the WebSocket API."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import aiohttp

from millrace_matching import Side
from millrace_simulator.server import Server

if TYPE_CHECKING:
    from .conftest import ApiClient, Connect, Signer

RESTING: dict[str, Any] = {
    "symbol": "KCSUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "price": "5",
    "quantity": "2",
}
MARKET: dict[str, Any] = {"symbol": "KCSUSDT", "side": "BUY", "type": "MARKET", "quantity": "1"}


def _kinds(messages: list[dict[str, Any]]) -> list[str]:
    return [message["event"].get("x") or message["event"]["e"] for message in messages]


async def test_an_order_is_reported_and_its_balances_follow(client: ApiClient, sign: Signer) -> None:
    """Each change of an order comes as a report, and after every change of a balance the balance."""
    assert await client.result("userDataStream.subscribe.signature", **sign()) == {"subscriptionId": 0}
    placed = await client.result("order.place", **sign(**RESTING, newClientOrderId="mine"))
    report, position = await client.reported()
    assert report["subscriptionId"] == position["subscriptionId"] == 0
    event = report["event"]
    assert (event["x"], event["X"], event["i"], event["c"], event["w"]) == (
        "NEW",
        "NEW",
        placed["orderId"],
        "mine",
        True,
    )
    assert position["event"]["B"] == [{"a": "USDT", "f": "999990.00000000", "l": "10.00000000"}]
    await client.result("order.cancel", **sign(symbol="KCSUSDT", orderId=placed["orderId"], newClientOrderId="cancel"))
    report, position = await client.reported()
    assert (report["event"]["x"], report["event"]["c"], report["event"]["C"]) == ("CANCELED", "cancel", "mine")
    assert position["event"]["B"] == [{"a": "USDT", "f": "1000000.00000000", "l": "0.00000000"}]


async def test_fills_are_reported_with_the_public_trade_id(server: Server, client: ApiClient, sign: Signer) -> None:
    """A taker's report names the trade that everybody sees, and its commission is taken from what it received."""
    await client.result("userDataStream.subscribe.signature", **sign())
    placed = await client.result("order.place", **sign(**MARKET))
    reported = await client.reported()
    assert _kinds(reported) == ["NEW", *["TRADE"] * len(placed["fills"]), "outboundAccountPosition"]
    last = reported[-2]["event"]
    (public,) = server.venue.instrument("KCSUSDT").tape.recent(1)
    assert (last["t"], last["X"], last["z"], last["N"]) == (public.trade_id, "FILLED", "1.00000000", "KCS")
    balances = {balance["a"]: balance["f"] for balance in reported[-1]["event"]["B"]}
    assert balances["KCS"] == "1000.99900000"
    assert Decimal(balances["USDT"]) == 1_000_000 - Decimal(last["Z"])


async def test_an_answer_comes_before_the_reports_of_what_it_did(client: ApiClient, sign: Signer) -> None:
    """On the connection that placed an order its answer is first; the order of the reports is the engine's."""
    await client.result("userDataStream.subscribe.signature", **sign())
    await client.result("order.place", **sign(**MARKET))
    assert client.events == []


async def test_a_session_subscribes_without_signature(client: ApiClient, sign: Signer, sign_ed25519: Signer) -> None:
    """Only a logged-on session can; `session.status` tells whether anything is subscribed."""
    assert await client.refusal("userDataStream.subscribe") == -2015
    await client.result("session.logon", **sign_ed25519())
    assert await client.result("userDataStream.subscribe") == {"subscriptionId": 0}
    assert await client.refusal("userDataStream.subscribe") == -2035
    assert await client.result("userDataStream.subscribe.signature", **sign()) == {"subscriptionId": 1}
    assert (await client.result("session.status"))["userDataStream"] is True
    assert await client.result("session.subscriptions") == [{"subscriptionId": 0}, {"subscriptionId": 1}]


async def test_events_name_the_subscription_of_their_account(
    client: ApiClient, sign: Signer, sign_ed25519: Signer
) -> None:
    """Events of two accounts on one connection are distinguishable."""
    await client.result("userDataStream.subscribe.signature", **sign())
    await client.result("userDataStream.subscribe.signature", **sign_ed25519())
    await client.result("order.place", **sign_ed25519(**RESTING))
    assert {message["subscriptionId"] for message in await client.reported()} == {1}


async def test_unsubscribing_ends_with_a_last_event(client: ApiClient, sign: Signer) -> None:
    """`eventStreamTerminated` closes a subscription; nothing follows it, and another can be opened."""
    await client.result("userDataStream.subscribe.signature", **sign())
    assert await client.refusal("userDataStream.unsubscribe", subscriptionId=7) == -2036
    assert await client.result("userDataStream.unsubscribe", subscriptionId=0) == {}
    await client.result("order.place", **sign(**RESTING))
    assert _kinds(await client.reported()) == ["eventStreamTerminated"]
    assert await client.refusal("userDataStream.unsubscribe") == -2036
    assert await client.result("userDataStream.subscribe.signature", **sign()) == {"subscriptionId": 1}


async def test_logging_out_ends_what_the_session_subscribed(
    client: ApiClient, sign: Signer, sign_ed25519: Signer
) -> None:
    """A subscription with a signature of its own outlives the session."""
    await client.result("session.logon", **sign_ed25519())
    await client.result("userDataStream.subscribe")
    await client.result("userDataStream.subscribe.signature", **sign())
    await client.result("session.logout")
    (ended,) = await client.reported()
    assert (ended["subscriptionId"], ended["event"]["e"]) == (0, "eventStreamTerminated")
    assert await client.result("session.subscriptions") == [{"subscriptionId": 1}]


async def test_a_deposit_is_reported_as_difference_and_as_total(
    server: Server, client: ApiClient, sign: Signer
) -> None:
    """What comes from outside is no order's doing: `balanceUpdate` says how much."""
    await client.result("userDataStream.subscribe.signature", **sign())
    server.venue.deposit(server.venue.account_by_key("hmac-key"), "BTC", Decimal("0.5"))
    update, position = [message["event"] for message in await client.reported()]
    assert (update["e"], update["a"], update["d"]) == ("balanceUpdate", "BTC", "0.50000000")
    assert position["B"] == [{"a": "BTC", "f": "100.50000000", "l": "0.00000000"}]


async def test_every_connection_of_an_account_hears_of_it(connect: Connect, sign: Signer) -> None:
    """An order placed on one connection is reported on all that subscribed, in the unit each asked for."""
    one, other = await connect(), await connect("?timeUnit=MICROSECOND")
    for client in (one, other):
        await client.result("userDataStream.subscribe.signature", **sign())
    await one.result("order.place", **sign(**RESTING))
    coarse, fine = await one.reported(), await other.reported()
    assert _kinds(coarse) == _kinds(fine) == ["NEW", "outboundAccountPosition"]
    assert fine[0]["event"]["T"] // 1000 == coarse[0]["event"]["T"]


async def test_a_connection_that_is_gone_is_forgotten(connect: Connect, client: ApiClient, sign: Signer) -> None:
    """Events go on to the others."""
    leaving = await connect()
    for each in (leaving, client):
        await each.result("userDataStream.subscribe.signature", **sign())
    await leaving.socket.close()
    await client.result("order.place", **sign(**RESTING))
    assert len(await client.reported()) == 2


async def test_at_the_end_every_client_is_notified_and_closed(server: Server, client: ApiClient) -> None:
    """`serverShutdown` comes before the connection is closed in order."""
    ending = asyncio.create_task(server.close())
    assert (await client.socket.receive_json())["event"]["e"] == "serverShutdown"
    message = await client.socket.receive()
    assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1001)
    await ending


PAIR: dict[str, Any] = {"symbol": "KCSUSDT", "side": "SELL", "quantity": "2", "belowType": "STOP_LOSS"}


async def test_a_pair_is_reported_from_its_placing_to_its_end(server: Server, client: ApiClient, sign: Signer) -> None:
    """Its orders, then its status; a fill ends the stop first, and the list is done after the last report."""
    await client.result("userDataStream.subscribe.signature", **sign())
    kcs = server.venue.instrument("KCSUSDT")
    server.venue.crowd_submit(kcs, Side.SELL, 1, None)
    best = kcs.book_ticker()
    profit, stop = str(kcs.scale.price(best.ask)), str(kcs.scale.price(best.bid - 1000))
    legs = {"aboveType": "LIMIT_MAKER", "abovePrice": profit, "belowStopPrice": stop}
    placed = await client.result("orderList.place.oco", **sign(**PAIR, **legs))
    begun = [message["event"] for message in await client.reported()]
    assert [(each["e"], each["g"]) for each in begun if "g" in each] == [
        ("executionReport", placed["orderListId"]),
        ("executionReport", placed["orderListId"]),
        ("listStatus", placed["orderListId"]),
    ]
    assert (begun[-1]["c"], begun[-1]["l"], begun[-1]["L"], begun[-1]["r"]) == (
        "OCO",
        "EXEC_STARTED",
        "EXECUTING",
        "NONE",
    )
    server.venue.crowd_submit(kcs, Side.BUY, best.ask_quantity + 200, best.ask)
    ended = [message["event"] for message in await client.reported()]
    assert [each.get("x", each["e"]) for each in ended] == ["EXPIRED", "TRADE", "outboundAccountPosition", "listStatus"]
    assert (ended[0]["eR"], ended[-1]["l"], ended[-1]["L"]) == ("OCO_TRIGGER", "ALL_DONE", "ALL_DONE")
    status = await client.result("orderList.status", **sign(orderListId=placed["orderListId"]))
    assert status["listOrderStatus"] == "ALL_DONE"
    assert await client.result("openOrderLists.status", **sign()) == []
    assert len(await client.result("allOrderLists", **sign())) == 1


async def test_an_amendment_is_reported_as_replaced(client: ApiClient, sign: Signer) -> None:
    """With both client order ids; what the order held for the difference is free."""
    await client.result("userDataStream.subscribe.signature", **sign())
    placed = await client.result("order.place", **sign(**RESTING, newClientOrderId="mine"))
    await client.reported()
    order = {"symbol": "KCSUSDT", "orderId": placed["orderId"]}
    changed = await client.result("order.amend.keepPriority", **sign(**order, newQty="1", newClientOrderId="now"))
    report, position = [message["event"] for message in await client.reported()]
    assert (report["x"], report["X"], report["c"], report["C"], report["q"]) == (
        "REPLACED",
        "NEW",
        "now",
        "mine",
        "1.00000000",
    )
    assert (report["I"], position["B"][0]["l"]) == (changed["executionId"], "5.00000000")
    assert len(await client.result("order.amendments", **sign(**order))) == 1


async def test_a_prevented_match_is_reported_to_both_orders(server: Server, client: ApiClient, sign: Signer) -> None:
    """The one that goes on is reported as it is, the one that ends as expired in match."""
    await client.result("userDataStream.subscribe.signature", **sign())
    kcs = server.venue.instrument("KCSUSDT")
    terms = {**RESTING, "price": str(kcs.scale.price(kcs.book_ticker().bid + 1))}
    maker = await client.result("order.place", **sign(**terms))
    await client.reported()
    taker = await client.result(
        "order.place", **sign(**{**terms, "side": "SELL", "quantity": "1"}, selfTradePreventionMode="DECREMENT")
    )
    reports = [message["event"] for message in await client.reported()]
    prevented = [each for each in reports if each.get("x") == "TRADE_PREVENTION"]
    assert [(each["i"], each["X"], each["U"]) for each in prevented] == [
        (maker["orderId"], "NEW", taker["orderId"]),
        (taker["orderId"], "EXPIRED_IN_MATCH", maker["orderId"]),
    ]
    assert {(each["v"], each["A"], each["B"], each["pl"]) for each in prevented} == {(0, *["1.00000000"] * 3)}
    (match,) = await client.result("myPreventedMatches", **sign(symbol="KCSUSDT", preventedMatchId=0))
    assert match["takerOrderId"] == taker["orderId"]


async def test_answers_are_in_the_unit_of_the_connection(server: Server, connect: Connect, sign: Signer) -> None:
    """Microseconds in answers as in events, where the address asks for them."""
    client = await connect("?timeUnit=MICROSECOND")
    placed = await client.result("order.place", **sign(**RESTING))
    assert placed["transactTime"] == server.venue.open_orders(server.venue.account_by_key("hmac-key"))[0].created_us
    assert (await client.result("time"))["serverTime"] > 10**15
    assert (await client.result("session.status"))["connectedSince"] > 10**15
