"""Orders that are amended keep their place; refused amendments leave them as they were."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from millrace_matching import Side

pytestmark = pytest.mark.asyncio(loop_scope="session")

AMEND = "/api/v3/order/amend/keepPriority"
RESTING = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "5", "price": "6"}


async def amend(client: Any, order: Any, quantity: str, **params: Any) -> Any:
    """Ask for a lower quantity of an order."""
    return await client.signed("PUT", AMEND, symbol="KCSUSDT", orderId=order["orderId"], newQty=quantity, **params)


async def test_an_amended_order_has_less_and_a_new_client_id(client: Any) -> None:
    """What it held for the difference is free; the change can be queried, and its former id finds it no more."""
    order = (await client.order(**RESTING, newClientOrderId="before")).body
    changed = (await amend(client, order, "3", newClientOrderId="after")).body
    shown = changed["amendedOrder"]
    assert (shown["origClientOrderId"], shown["clientOrderId"], shown["qty"]) == ("before", "after", "3.00000000")
    assert "listStatus" not in changed
    (amendment,) = (
        await client.signed("GET", "/api/v3/order/amendments", symbol="KCSUSDT", orderId=order["orderId"])
    ).body
    assert (amendment["origQty"], amendment["newQty"]) == ("5.00000000", "3.00000000")
    assert (amendment["executionId"], amendment["time"]) == (changed["executionId"], changed["transactTime"])
    account = (await client.signed("GET", "/api/v3/account")).body["balances"]
    assert {each["asset"]: Decimal(each["locked"]) for each in account}["USDT"] == 18
    former = await client.signed("GET", "/api/v3/order", symbol="KCSUSDT", origClientOrderId="before")
    assert former.refusal == (400, -2013)
    assert (await client.signed("DELETE", "/api/v3/order", symbol="KCSUSDT", origClientOrderId="after")).status == 200


async def test_an_amended_order_trades_before_those_that_came_later(client: Any) -> None:
    """Another participant's order at its price waits until it is filled."""
    venue = client.server.venue
    kcs = venue.instrument("KCSUSDT")
    best = kcs.book_ticker().bid + 1
    price = str(kcs.scale.price(best))
    order = (await client.order(**{**RESTING, "price": price})).body
    venue.crowd_submit(kcs, Side.BUY, 500, best)
    await amend(client, order, "3")
    venue.crowd_submit(kcs, Side.SELL, 300, best)
    found = (await client.signed("GET", "/api/v3/order", symbol="KCSUSDT", orderId=order["orderId"])).body
    assert (found["status"], found["executedQty"]) == ("FILLED", "3.00000000")
    venue.crowd_submit(kcs, Side.SELL, 500, best)


@pytest.mark.parametrize(
    ("quantity", "refusal", "message"),
    [
        ("6", (400, -2038), "Order amend (quantity increase) is not supported."),
        ("5", (400, -2038), "The requested action would change no state; rejecting"),
        ("3.001", (400, -1013), "Filter failure: LOT_SIZE"),
        ("0.5", (400, -1013), "Filter failure: NOTIONAL"),
        ("0", (400, -1013), "Invalid newQty."),
    ],
)
async def test_a_refused_amendment_changes_nothing(
    client: Any, quantity: str, refusal: tuple[int, int], message: str
) -> None:
    """Each reason has its code and words."""
    order = (await client.order(**RESTING)).body
    answer = await amend(client, order, quantity)
    assert (answer.refusal, answer.body["msg"]) == (refusal, message)
    (standing,) = (await client.signed("GET", "/api/v3/openOrders")).body
    assert (standing["origQty"], standing["clientOrderId"]) == ("5.00000000", order["clientOrderId"])


async def test_an_order_is_amended_ten_times_at_most(client: Any) -> None:
    """`MAX_NUM_ORDER_AMENDS`; an order that is final cannot be amended at all."""
    order = (await client.order(**RESTING)).body
    for tenths in range(49, 39, -1):
        assert (await amend(client, order, str(Decimal(tenths) / 10))).status == 200
    answer = await amend(client, order, "2")
    assert (answer.refusal, answer.body["msg"]) == ((400, -2038), "Filter failure: MAX_NUM_ORDER_AMENDS")
    await client.signed("DELETE", "/api/v3/openOrders", symbol="KCSUSDT")
    assert (await amend(client, order, "2")).refusal == (400, -2038)


async def test_amending_one_order_of_a_pair_amends_both(client: Any) -> None:
    """Their quantity is one; the list learns the new client order id."""
    last = Decimal((await client.get("/api/v3/ticker/price", symbol="KCSUSDT")).body["price"])
    legs = {"aboveType": "LIMIT_MAKER", "abovePrice": str(last + 1), "belowType": "STOP_LOSS"}
    terms = {"symbol": "KCSUSDT", "side": "SELL", "quantity": "4", "belowStopPrice": str(last - 1)}
    placed = (await client.signed("POST", "/api/v3/orderList/oco", **terms, **legs)).body
    changed = (await amend(client, placed["orders"][1], "3", newClientOrderId="profit")).body
    assert changed["listStatus"]["orders"][1]["clientOrderId"] == "profit"
    standing = (await client.signed("GET", "/api/v3/openOrders")).body
    assert [each["origQty"] for each in standing] == ["3.00000000"] * 2
    balances = (await client.signed("GET", "/api/v3/account")).body["balances"]
    assert {each["asset"]: Decimal(each["locked"]) for each in balances}["KCS"] == 3
