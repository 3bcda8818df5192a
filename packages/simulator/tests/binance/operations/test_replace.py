"""Cancel-replace: each half may fail, and the answer says which did."""

from typing import Any

import pytest
import pytest_asyncio

pytestmark = pytest.mark.asyncio(loop_scope="session")

NEW = {"symbol": "KCSUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "1"}
PATH = "/api/v3/order/cancelReplace"


@pytest_asyncio.fixture(loop_scope="session")
async def resting(client: Any) -> int:
    """An order to be replaced."""
    placed = await client.order(**NEW, price="6")
    return int(placed.body["orderId"])


async def open_prices(client: Any) -> list[str]:
    """The prices of the open orders."""
    return [order["price"] for order in (await client.signed("GET", "/api/v3/openOrders")).body]


async def test_both_halves_succeed(client: Any, resting: int) -> None:
    """The old order is canceled, the new one stands."""
    answer = await client.signed(
        "POST", PATH, **NEW, price="7", cancelReplaceMode="STOP_ON_FAILURE", cancelOrderId=resting
    )
    assert answer.status == 200
    assert (answer.body["cancelResult"], answer.body["newOrderResult"]) == ("SUCCESS", "SUCCESS")
    assert answer.body["cancelResponse"]["orderId"] == resting
    assert answer.body["newOrderResponse"]["status"] == "NEW"
    assert await open_prices(client) == ["7.00000000"]


async def test_without_an_order_to_cancel_nothing_is_placed(client: Any) -> None:
    """STOP_ON_FAILURE: -2022, and the new order was not attempted."""
    answer = await client.signed(
        "POST", PATH, **NEW, price="7", cancelReplaceMode="STOP_ON_FAILURE", cancelOrderId=99_999_999
    )
    assert answer.refusal == (400, -2022)
    assert answer.body["data"] == {
        "cancelResult": "FAILURE",
        "newOrderResult": "NOT_ATTEMPTED",
        "cancelResponse": {"code": -2011, "msg": "Unknown order sent."},
        "newOrderResponse": None,
    }
    assert await open_prices(client) == []


async def test_the_new_order_may_be_placed_all_the_same(client: Any) -> None:
    """ALLOW_FAILURE: -2021 with 409, and the new order stands."""
    answer = await client.signed(
        "POST", PATH, **NEW, price="7", cancelReplaceMode="ALLOW_FAILURE", cancelOrigClientOrderId="gone"
    )
    assert answer.refusal == (409, -2021)
    assert (answer.body["data"]["cancelResult"], answer.body["data"]["newOrderResult"]) == ("FAILURE", "SUCCESS")
    assert await open_prices(client) == ["7.00000000"]


async def test_the_cancel_stands_when_the_new_order_is_refused(client: Any, resting: int) -> None:
    """The engine refuses the new order after the old one was canceled: -2021 with 409."""
    taker = {**NEW, "type": "LIMIT_MAKER", "price": "1000", "cancelReplaceMode": "STOP_ON_FAILURE"}
    del taker["timeInForce"]
    best = (await client.get("/api/v3/ticker/bookTicker", symbol="KCSUSDT")).body["askPrice"]
    answer = await client.signed("POST", PATH, **{**taker, "price": best}, cancelOrderId=resting)
    assert answer.refusal == (409, -2021)
    assert answer.body["data"]["newOrderResponse"] == {
        "code": -2010,
        "msg": "Order would immediately match and take.",
    }
    assert await open_prices(client) == []


async def test_a_broken_filter_cancels_nothing(client: Any, resting: int) -> None:
    """Filters are evaluated first: the old order stays."""
    answer = await client.signed(
        "POST", PATH, **NEW, price="7.00001", cancelReplaceMode="STOP_ON_FAILURE", cancelOrderId=resting
    )
    assert answer.refusal == (400, -1013)
    assert await open_prices(client) == ["6.00000000"]


async def test_money_that_the_cancel_frees_may_be_used(client: Any) -> None:
    """The new order may need what the old one holds."""
    big = {**NEW, "quantity": "100000", "price": "6"}
    placed = (await client.order(**big)).body
    assert (await client.order(**big)).refusal == (400, -2010)
    answer = await client.signed(
        "POST",
        PATH,
        **{**big, "quantity": "110000"},
        cancelReplaceMode="STOP_ON_FAILURE",
        cancelOrderId=placed["orderId"],
    )
    assert answer.status == 200, answer.body


async def test_the_mode_must_be_sent(client: Any, resting: int) -> None:
    """Without a mode, or with none of the two, the request is refused."""
    assert (await client.signed("POST", PATH, **NEW, price="7", cancelOrderId=resting)).refusal == (400, -1102)
    wrong = await client.signed("POST", PATH, **NEW, price="7", cancelOrderId=resting, cancelReplaceMode="MAYBE")
    assert wrong.refusal == (400, -1130)
