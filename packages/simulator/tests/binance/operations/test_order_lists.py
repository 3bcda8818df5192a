"""Order lists over REST: pairs, orders that bring others into the book, and what one order does to the others."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

from millrace_matching import Side

pytestmark = pytest.mark.asyncio(loop_scope="session")

SHOWN = {
    "orderListId",
    "contingencyType",
    "listStatusType",
    "listOrderStatus",
    "listClientOrderId",
    "transactionTime",
    "symbol",
    "orders",
}
OCO = "/api/v3/orderList/oco"
OTO = "/api/v3/orderList/oto"
LIMIT_BELOW = {"belowType": "STOP_LOSS_LIMIT", "belowPrice": "9", "belowTimeInForce": "GTC"}
OTOCO = "/api/v3/orderList/otoco"


@pytest_asyncio.fixture(loop_scope="session")
async def last_price(client: Any) -> Decimal:
    """What KCS costs."""
    return Decimal((await client.get("/api/v3/ticker/price", symbol="KCSUSDT")).body["price"])


def pair(last: Decimal, **changes: Any) -> dict[str, Any]:
    """Return a pair that sells: a profit above the price and a stop below it."""
    return {
        "symbol": "KCSUSDT",
        "side": "SELL",
        "quantity": "2",
        "aboveType": "LIMIT_MAKER",
        "abovePrice": str(last + 1),
        "belowType": "STOP_LOSS",
        "belowStopPrice": str(last - 1),
        **changes,
    }


def pending(last: Decimal) -> dict[str, Any]:
    """Return what comes after an order that buys: the pair of `pair`."""
    names = {"side": "pendingSide", "quantity": "pendingQuantity"}
    legs = {names.get(name, f"pending{name[0].upper()}{name[1:]}"): value for name, value in pair(last).items()}
    del legs["pendingSymbol"]
    return legs


WORKING = {"symbol": "KCSUSDT", "workingType": "LIMIT", "workingSide": "BUY", "workingQuantity": "2"}


async def states(client: Any, order_list: dict[str, Any]) -> list[str]:
    """Return the status of each order of a list."""
    return [
        (await client.signed("GET", "/api/v3/order", symbol="KCSUSDT", orderId=each["orderId"])).body["status"]
        for each in order_list["orders"]
    ]


async def list_status(client: Any, order_list: dict[str, Any]) -> str:
    """Return the status of a list."""
    found = await client.signed("GET", "/api/v3/orderList", orderListId=order_list["orderListId"])
    return str(found.body["listOrderStatus"])


async def locked(client: Any, asset: str) -> Decimal:
    """Return how much of an asset the account's orders hold."""
    account = (await client.signed("GET", "/api/v3/account")).body
    return next(Decimal(each["locked"]) for each in account["balances"] if each["asset"] == asset)


async def test_a_pair_is_placed_found_and_canceled_as_one(client: Any, last_price: Decimal) -> None:
    """It holds its quantity once; any of its ids finds it, and canceling it cancels both orders under one id."""
    placed = (await client.signed("POST", OCO, **pair(last_price, listClientOrderId="pair"))).body
    assert set(placed) == SHOWN | {"orderReports"}
    assert (placed["contingencyType"], placed["listStatusType"]) == ("OCO", "EXEC_STARTED")
    assert [report["type"] for report in placed["orderReports"]] == ["STOP_LOSS", "LIMIT_MAKER"]
    assert {report["orderListId"] for report in placed["orderReports"]} == {placed["orderListId"]}
    assert await locked(client, "KCS") == 2
    by_client_id = await client.signed("GET", "/api/v3/orderList", origClientOrderId="pair")
    assert set(by_client_id.body) == SHOWN
    assert by_client_id.body["orders"] == placed["orders"]
    assert (await client.signed("GET", "/api/v3/openOrderList")).body == [by_client_id.body]
    canceled = (
        await client.signed(
            "DELETE", "/api/v3/orderList", symbol="KCSUSDT", listClientOrderId="pair", newClientOrderId="x"
        )
    ).body
    assert [(each["status"], each["clientOrderId"]) for each in canceled["orderReports"]] == [("CANCELED", "x")] * 2
    assert (canceled["listOrderStatus"], await locked(client, "KCS")) == ("ALL_DONE", 0)
    assert (await client.signed("GET", "/api/v3/openOrderList")).body == []
    again = await client.signed("DELETE", "/api/v3/orderList", symbol="KCSUSDT", listClientOrderId="pair")
    assert again.refusal == (400, -2011)


async def test_canceling_one_order_cancels_its_list(client: Any, last_price: Decimal) -> None:
    """The answer shows the list, once, also where all orders of the symbol are canceled."""
    placed = (await client.signed("POST", OCO, **pair(last_price))).body
    one = placed["orders"][0]["orderId"]
    canceled = (await client.signed("DELETE", "/api/v3/order", symbol="KCSUSDT", orderId=one)).body
    assert (canceled["orderListId"], len(canceled["orderReports"])) == (placed["orderListId"], 2)
    await client.signed("POST", OCO, **pair(last_price))
    await client.order(side="BUY", type="LIMIT", timeInForce="GTC", quantity="1", price="6")
    every = (await client.signed("DELETE", "/api/v3/openOrders", symbol="KCSUSDT")).body
    assert [len(each.get("orderReports", "-")) for each in every] == [2, 1]


async def test_a_fill_ends_the_other_order(client: Any) -> None:
    """Once the profit is taken in part the stop has expired; the list goes on until the rest is filled."""
    venue = client.server.venue
    kcs = venue.instrument("KCSUSDT")
    venue.crowd_submit(kcs, Side.SELL, 1, None)
    best, profit = kcs.book_ticker(), str(kcs.scale.price(kcs.book_ticker().ask))
    placed = (await client.signed("POST", OCO, **pair(kcs.scale.price(kcs.last_price), abovePrice=profit))).body
    venue.crowd_submit(kcs, Side.BUY, best.ask_quantity + 50, best.ask)
    stop = (await client.signed("GET", "/api/v3/order", symbol="KCSUSDT", orderId=placed["orders"][0]["orderId"])).body
    assert (stop["status"], stop["expiryReason"]) == ("EXPIRED", "OCO_TRIGGER")
    assert await states(client, placed) == ["EXPIRED", "PARTIALLY_FILLED"]
    assert (await list_status(client, placed), await locked(client, "KCS")) == ("EXECUTING", Decimal("1.5"))
    venue.crowd_submit(kcs, Side.BUY, 150, best.ask)
    assert (await states(client, placed))[1] == "FILLED"
    assert (await list_status(client, placed), await locked(client, "KCS")) == ("ALL_DONE", 0)


async def test_a_stop_that_is_reached_ends_the_profit(client: Any) -> None:
    """The other way round: the stop order sells at the market, and nothing of the pair is left."""
    venue = client.server.venue
    kcs = venue.instrument("KCSUSDT")
    bid = kcs.scale.price(kcs.book_ticker().bid)
    venue.crowd_submit(kcs, Side.SELL, 1, None)
    venue.crowd_submit(kcs, Side.BUY, 1, None)
    last = kcs.scale.price(kcs.last_price)
    placed = (await client.signed("POST", OCO, **pair(last, belowStopPrice=str(min(bid, last - kcs.scale.tick))))).body
    venue.crowd_submit(kcs, Side.SELL, 1, None)
    assert await states(client, placed) == ["FILLED", "EXPIRED"]
    assert await list_status(client, placed) == "ALL_DONE"


async def test_the_older_request_makes_the_same_pair(client: Any, last_price: Decimal) -> None:
    """`order/oco` names the orders limit and stop, whichever side they lie on."""
    for side, sign in (("SELL", 1), ("BUY", -1)):
        params = {"price": str(last_price + sign), "stopPrice": str(last_price - sign), "quantity": "1"}
        limit = {
            "stopLimitPrice": str(last_price - 2 * sign),
            "stopLimitTimeInForce": "GTC",
            "stopClientOrderId": f"s{side}",
        }
        placed = await client.signed("POST", "/api/v3/order/oco", symbol="KCSUSDT", side=side, **params, **limit)
        assert [report["type"] for report in placed.body["orderReports"]] == ["STOP_LOSS_LIMIT", "LIMIT_MAKER"]
        stop, profit = placed.body["orderReports"]
        assert (Decimal(stop["stopPrice"]), stop["clientOrderId"]) == (last_price - sign, f"s{side}")
        assert (Decimal(stop["price"]), Decimal(profit["price"])) == (last_price - 2 * sign, last_price + sign)


async def test_a_filled_order_brings_the_other_into_the_book(client: Any) -> None:
    """Until then the other is pending and holds nothing; the answer shows it as it was before."""
    params = {"workingPrice": "20", "workingTimeInForce": "GTC", "pendingType": "LIMIT", "pendingSide": "SELL"}
    more = {"pendingPrice": "30", "pendingTimeInForce": "GTC", "pendingQuantity": "2"}
    placed = (await client.signed("POST", OTO, **WORKING, **params, **more)).body
    assert [report["status"] for report in placed["orderReports"]] == ["FILLED", "PENDING_NEW"]
    assert placed["orderReports"][1]["workingTime"] == -1
    assert (await states(client, placed), await locked(client, "KCS")) == (["FILLED", "NEW"], 2)
    assert await list_status(client, placed) == "EXECUTING"


async def test_a_pending_order_ends_with_the_working_one(client: Any) -> None:
    """It expires when the working order does, and is canceled with it; then its list is done."""
    pending = {"pendingType": "MARKET", "pendingSide": "SELL", "pendingQuantity": "2"}
    at_once = {"workingPrice": "6", "workingTimeInForce": "IOC"}
    expired = (await client.signed("POST", OTO, **WORKING, **at_once, **pending)).body
    assert await states(client, expired) == ["EXPIRED", "EXPIRED"]
    other = expired["orders"][1]["orderId"]
    reason = (await client.signed("GET", "/api/v3/order", symbol="KCSUSDT", orderId=other)).body["expiryReason"]
    resting = {"workingPrice": "6", "workingTimeInForce": "GTC"}
    placed = (await client.signed("POST", OTO, **WORKING, **resting, **pending)).body
    assert (reason, await states(client, placed)) == ("OTO_PHASE_ONE_EXPIRED", ["NEW", "PENDING_NEW"])
    await client.signed("DELETE", "/api/v3/order", symbol="KCSUSDT", orderId=placed["orders"][1]["orderId"])
    assert (await states(client, placed), await locked(client, "USDT")) == (["CANCELED", "CANCELED"], 0)
    assert await list_status(client, placed) == "ALL_DONE"


async def test_a_pending_order_that_is_refused_expires(client: Any) -> None:
    """It asks for more than the account has when its turn comes."""
    working = {**WORKING, "workingPrice": "20", "workingTimeInForce": "GTC"}
    order = {"pendingType": "LIMIT", "pendingSide": "SELL", "pendingPrice": "30", "pendingTimeInForce": "GTC"}
    placed = (await client.signed("POST", OTO, **working, **order, pendingQuantity="150000")).body
    assert await states(client, placed) == ["FILLED", "EXPIRED"]
    refused = placed["orders"][1]["orderId"]
    found = (await client.signed("GET", "/api/v3/order", symbol="KCSUSDT", orderId=refused)).body
    assert (found["expiryReason"], await list_status(client, placed)) == ("REJECTED", "ALL_DONE")


async def test_a_filled_order_brings_a_pair_into_the_book(client: Any, last_price: Decimal) -> None:
    """Both orders of the pair work then, and canceling one cancels the other."""
    terms = {"workingPrice": "20", "workingTimeInForce": "GTC"}
    placed = (await client.signed("POST", OTOCO, **WORKING, **terms, **pending(last_price))).body
    assert (placed["contingencyType"], len(placed["orders"])) == ("OTO", 3)
    assert await states(client, placed) == ["FILLED", "NEW", "NEW"]
    assert await locked(client, "KCS") == 2
    await client.signed("DELETE", "/api/v3/orderList", symbol="KCSUSDT", orderListId=placed["orderListId"])
    assert (await states(client, placed), await locked(client, "KCS")) == (["FILLED", "CANCELED", "CANCELED"], 0)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"aboveType": "STOP_LOSS", "aboveStopPrice": "20", "abovePrice": None}, (400, -1197)),
        ({"belowType": "TAKE_PROFIT", "belowStopPrice": "9"}, (400, -1199)),
        ({"belowType": "LIMIT_MAKER", "belowStopPrice": None, "belowPrice": "9"}, (400, -1168)),
        ({"aboveType": "LIMIT", "aboveTimeInForce": "GTC"}, (400, -1158)),
        ({"belowType": "STOP_LOSS_LIMIT", "belowPrice": "9"}, (400, -1102)),
        ({"belowPrice": "9"}, (400, -1106)),
        ({"aboveTrailingDelta": "100"}, (400, -2010)),
        ({"aboveIcebergQty": "1"}, (400, -2010)),
        ({"belowPegPriceType": "PRIMARY_PEG"}, (400, -2010)),
        ({"belowStopPrice": "30"}, (400, -2010)),
        ({"abovePrice": "13.00001"}, (400, -1013)),
        ({"quantity": "150000", **LIMIT_BELOW}, (400, -2010)),
        ({"aboveClientOrderId": "same", "belowClientOrderId": "same"}, (400, -2010)),
        ({"aboveNovelty": "1"}, (400, -1104)),
        ({"aboveType": None}, (400, -1102)),
    ],
)
async def test_what_is_wrong_with_a_pair_has_its_own_code(
    client: Any, last_price: Decimal, changes: dict[str, str | None], refusal: tuple[int, int]
) -> None:
    """Nothing of a refused list is placed."""
    params = {name: value for name, value in pair(last_price, **changes).items() if value is not None}
    answer = await client.signed("POST", OCO, **params)
    assert answer.refusal == refusal, answer.body
    assert (await client.signed("GET", "/api/v3/openOrders")).body == []
    assert (await client.signed("GET", "/api/v3/allOrderList")).body == []


async def test_a_list_that_is_unknown_is_not_found(client: Any, last_price: Decimal) -> None:
    """Lists are an account's own; one is named by an id, and all are found from an id or a time on."""
    assert (await client.signed("GET", "/api/v3/orderList")).refusal == (400, -1102)
    assert (await client.signed("GET", "/api/v3/orderList", orderListId=0)).refusal == (400, -2013)
    ids = [(await client.signed("POST", OCO, **pair(last_price))).body["orderListId"] for _ in range(2)]
    found = (await client.signed("GET", "/api/v3/allOrderList", fromId=ids[1])).body
    assert [each["orderListId"] for each in found] == ids[1:]
    newest = (await client.signed("GET", "/api/v3/allOrderList", limit=1)).body
    assert [each["orderListId"] for each in newest] == ids[1:]
    assert (await client.signed("GET", "/api/v3/allOrderList", fromId=1, startTime=1)).refusal == (400, -1128)
