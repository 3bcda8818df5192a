"""Orders: every type is answered in the form asked for, and refused with Binance's codes."""

from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

pytestmark = pytest.mark.asyncio(loop_scope="session")

STATE = {
    "price",
    "origQty",
    "executedQty",
    "origQuoteOrderQty",
    "cummulativeQuoteQty",
    "status",
    "timeInForce",
    "type",
    "side",
}
ACK = {"symbol", "orderId", "orderListId", "clientOrderId", "transactTime"}
RESULT = ACK | STATE | {"workingTime", "selfTradePreventionMode"}
RESTING = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "1", "price": "6"}


@pytest_asyncio.fixture(loop_scope="session")
async def last_price(client: Any) -> Decimal:
    """What KCS costs."""
    return Decimal((await client.get("/api/v3/ticker/price", symbol="KCSUSDT")).body["price"])


async def test_a_market_order_takes_from_the_book(client: Any) -> None:
    """It is filled at once; its fills, fees and balances add up."""
    before = await client.signed("GET", "/api/v3/account", omitZeroBalances="true")
    placed = (await client.order(side="BUY", type="MARKET", quantity="1")).body
    assert set(placed) == RESULT | {"fills"}
    assert (placed["status"], placed["executedQty"]) == ("FILLED", "1.00000000")
    spent = sum(Decimal(fill["price"]) * Decimal(fill["qty"]) for fill in placed["fills"])
    fees = sum(Decimal(fill["commission"]) for fill in placed["fills"])
    assert Decimal(placed["cummulativeQuoteQty"]) == spent
    assert {fill["commissionAsset"] for fill in placed["fills"]} == {"KCS"}
    after = await client.signed("GET", "/api/v3/account")
    assert free(after, "USDT") == free(before, "USDT") - spent
    assert free(after, "KCS") == free(before, "KCS") + 1 - fees


async def test_a_market_order_may_be_sized_by_what_it_spends(client: Any) -> None:
    """`quoteOrderQty` spends that much or a little less."""
    placed = (await client.order(side="BUY", type="MARKET", quoteOrderQty="100")).body
    assert placed["status"] == "FILLED"
    assert placed["origQuoteOrderQty"] == "100.00000000"
    assert 90 < Decimal(placed["cummulativeQuoteQty"]) <= 100


async def test_a_limit_order_rests_until_it_is_canceled(client: Any) -> None:
    """It can be queried by either id and canceled; then the money is free again."""
    before = await client.signed("GET", "/api/v3/account")
    placed = (await client.order(**RESTING, newClientOrderId="mine-1")).body
    assert (placed["status"], placed["clientOrderId"], placed["fills"]) == ("NEW", "mine-1", [])
    queried = (await client.signed("GET", "/api/v3/order", symbol="KCSUSDT", origClientOrderId="mine-1")).body
    assert queried["orderId"] == placed["orderId"]
    canceled = await client.signed(
        "DELETE", "/api/v3/order", symbol="KCSUSDT", orderId=placed["orderId"], origClientOrderId="mine-1"
    )
    assert (canceled.body["status"], canceled.body["origClientOrderId"]) == ("CANCELED", "mine-1")
    assert canceled.body["clientOrderId"] != "mine-1"
    after = await client.signed("GET", "/api/v3/account")
    assert free(after, "USDT") == free(before, "USDT")
    again = await client.signed("DELETE", "/api/v3/order", symbol="KCSUSDT", orderId=placed["orderId"])
    assert again.refusal == (400, -2011)
    assert again.body["msg"] == "Unknown order sent."


@pytest.mark.parametrize(
    ("wish", "fields"), [("ACK", ACK), ("RESULT", RESULT), ("FULL", RESULT | {"fills"}), (None, RESULT | {"fills"})]
)
async def test_the_answer_has_the_size_asked_for(client: Any, wish: str | None, fields: set[str]) -> None:
    """ACK, RESULT or FULL; without a wish LIMIT is answered in FULL."""
    params = RESTING if wish is None else {**RESTING, "newOrderRespType": wish}
    assert set((await client.order(**params)).body) == fields


async def test_other_types_are_acknowledged_only(client: Any, last_price: Decimal) -> None:
    """Orders that wait, or only make, are answered with ACK unless the client wants more."""
    maker = await client.order(side="BUY", type="LIMIT_MAKER", quantity="1", price="6")
    stop = await client.order(
        side="SELL",
        type="STOP_LOSS_LIMIT",
        timeInForce="GTC",
        quantity="1",
        price=str(last_price - 2),
        stopPrice=str(last_price - 1),
    )
    assert set(maker.body) == set(stop.body) == ACK
    waiting = (await client.signed("GET", "/api/v3/order", symbol="KCSUSDT", orderId=stop.body["orderId"])).body
    assert (waiting["status"], waiting["isWorking"], waiting["workingTime"]) == ("NEW", False, -1)
    assert Decimal(waiting["stopPrice"]) == last_price - 1


@pytest.mark.parametrize(
    ("side", "order_type", "offset"),
    [("SELL", "STOP_LOSS", -1), ("BUY", "STOP_LOSS", 1), ("SELL", "TAKE_PROFIT", 1), ("BUY", "TAKE_PROFIT", -1)],
)
async def test_triggers_lie_on_their_side_of_the_market(
    client: Any, last_price: Decimal, side: str, order_type: str, offset: int
) -> None:
    """A stop or a take-profit waits on its own side of the last price and is refused on the other."""
    right = await client.order(side=side, type=order_type, quantity="1", stopPrice=str(last_price + offset))
    assert right.status == 200, right.body
    wrong = await client.order(side=side, type=order_type, quantity="1", stopPrice=str(last_price - offset))
    assert wrong.refusal == (400, -2010)
    assert wrong.body["msg"] == "Stop price would trigger immediately."


async def test_immediate_orders_expire_when_they_find_nothing(client: Any) -> None:
    """IOC and FOK away from the market are accepted and expire, as at Binance."""
    for time_in_force in ("IOC", "FOK"):
        placed = (await client.order(**{**RESTING, "timeInForce": time_in_force})).body
        assert (placed["status"], placed["executedQty"]) == ("EXPIRED", "0.00000000")


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"symbol": "NOSUCH"}, (400, -1121)),
        ({"symbol": "kcsusdt"}, (400, -1100)),
        ({"side": "HOLD"}, (400, -1117)),
        ({"type": "GUESS"}, (400, -1116)),
        ({"timeInForce": "SOON"}, (400, -1115)),
        ({"timeInForce": ""}, (400, -1105)),
        ({"quantity": "much"}, (400, -1100)),
        ({"quantity": "0"}, (400, -1013)),
        ({"price": "6.123456789"}, (400, -1111)),
        ({"type": "MARKET"}, (400, -1106)),
        ({"stopPrice": "7"}, (400, -1106)),
        ({"type": "STOP_LOSS_LIMIT"}, (400, -1102)),
        ({"type": "LIMIT_MAKER"}, (400, -1106)),
        ({"newClientOrderId": "no spaces"}, (400, -1100)),
        ({"newClientOrderId": "x" * 37}, (400, -1100)),
        ({"newOrderRespType": "SOME"}, (400, -1130)),
        ({"strategyType": "7"}, (400, -1134)),
        ({"price": "6.00001"}, (400, -1013)),
        ({"quantity": "0.1"}, (400, -1013)),
        ({"quantity": "200000"}, (400, -2010)),
        ({"icebergQty": "1"}, (400, -2010)),
        ({"pegPriceType": "PRIMARY_PEG"}, (400, -2010)),
        ({"pegOffsetType": "PRICE_LEVEL", "pegOffsetValue": "2"}, (400, -2010)),
        ({"type": "STOP_LOSS", "trailingDelta": "100"}, (400, -2010)),
    ],
)
async def test_what_is_wrong_with_an_order_has_its_own_code(
    client: Any, change: dict[str, str], refusal: tuple[int, int]
) -> None:
    """Each field that is missing, malformed or not allowed is refused with Binance's code, and nothing is placed."""
    answer = await client.order(**{**RESTING, **change})
    assert answer.refusal == refusal, answer.body
    assert (await client.signed("GET", "/api/v3/openOrders", symbol="KCSUSDT")).body == []


async def test_a_market_order_needs_exactly_one_size(client: Any) -> None:
    """Neither, or both, of quantity and quoteOrderQty are refused."""
    assert (await client.order(side="BUY", type="MARKET")).refusal == (400, -1102)
    both = await client.order(side="BUY", type="MARKET", quantity="1", quoteOrderQty="10")
    assert both.refusal == (400, -1128)


async def test_a_broken_filter_is_named(client: Any) -> None:
    """Clients read the filter's name in the message."""
    for change, name in (
        ({"price": "6.00001"}, "PRICE_FILTER"),
        ({"quantity": "1.0000001"}, "LOT_SIZE"),
        ({"quantity": "0.1"}, "NOTIONAL"),
        ({"price": "0.1", "quantity": "1000"}, "PERCENT_PRICE_BY_SIDE"),
    ):
        answer = await client.order(**{**RESTING, **change})
        assert answer.body == {"code": -1013, "msg": f"Filter failure: {name}"}


async def test_refusals_of_the_engine_have_binances_words(client: Any, last_price: Decimal) -> None:
    """Too little money, an id in use, a maker that would take: -2010 and the sentence that clients compare."""
    poor = await client.order(**{**RESTING, "quantity": "1000000"})
    await client.order(**RESTING, newClientOrderId="once")
    twice = await client.order(**RESTING, newClientOrderId="once")
    taker = await client.order(side="BUY", type="LIMIT_MAKER", quantity="1", price=str(last_price + 1))
    assert [answer.refusal for answer in (poor, twice, taker)] == [(400, -2010)] * 3
    assert [answer.body["msg"] for answer in (poor, twice, taker)] == [
        "Account has insufficient balance for requested action.",
        "Duplicate order sent.",
        "Order would immediately match and take.",
    ]


async def test_a_filled_orders_client_id_may_be_used_again(client: Any) -> None:
    """Client order ids are unique among open orders only, as at Binance."""
    first = await client.order(side="BUY", type="MARKET", quantity="1", newClientOrderId="again")
    second = await client.order(side="BUY", type="MARKET", quantity="1", newClientOrderId="again")
    assert second.status == 200
    newest = await client.signed("GET", "/api/v3/order", symbol="KCSUSDT", origClientOrderId="again")
    assert newest.body["orderId"] == second.body["orderId"] != first.body["orderId"]


async def test_a_trial_changes_nothing(client: Any) -> None:
    """order/test checks like an order and places none."""
    assert (await client.signed("POST", "/api/v3/order/test", symbol="KCSUSDT", **RESTING)).body == {}
    rates = await client.signed(
        "POST", "/api/v3/order/test", symbol="KCSUSDT", computeCommissionRates="true", **RESTING
    )
    assert set(rates.body["standardCommissionForOrder"]) == {"maker", "taker"}
    refused = await client.signed("POST", "/api/v3/order/test", symbol="KCSUSDT", **{**RESTING, "price": "6.00001"})
    assert refused.refusal == (400, -1013)
    assert (await client.signed("GET", "/api/v3/openOrders")).body == []


async def test_all_orders_of_a_symbol_are_canceled(client: Any) -> None:
    """Every open order is canceled; without one it is an error."""
    for price in ("6", "7"):
        await client.order(**{**RESTING, "price": price})
    canceled = await client.signed("DELETE", "/api/v3/openOrders", symbol="KCSUSDT")
    assert [order["status"] for order in canceled.body] == ["CANCELED", "CANCELED"]
    assert (await client.signed("DELETE", "/api/v3/openOrders", symbol="KCSUSDT")).refusal == (400, -2011)


async def test_a_cancel_may_demand_a_state(client: Any) -> None:
    """`cancelRestrictions` that does not hold leaves the order in the book."""
    placed = (await client.order(**RESTING)).body
    cancel = {"symbol": "KCSUSDT", "orderId": placed["orderId"]}
    for restriction, refusal in (("ONLY_PARTIALLY_FILLED", (400, -2011)), ("NEVER", (400, -1145))):
        answer = await client.signed("DELETE", "/api/v3/order", cancelRestrictions=restriction, **cancel)
        assert answer.refusal == refusal
    assert (await client.signed("DELETE", "/api/v3/order", cancelRestrictions="ONLY_NEW", **cancel)).status == 200


async def test_an_order_is_named_by_something(client: Any) -> None:
    """A cancel or query without any id is refused; an id of another account, or of none, is not found."""
    assert (await client.signed("DELETE", "/api/v3/order", symbol="KCSUSDT")).refusal == (400, -1102)
    assert (await client.signed("GET", "/api/v3/order", symbol="KCSUSDT", orderId=1)).refusal == (400, -2013)


def free(account: Any, asset: str) -> Decimal:
    """What an account has free of an asset."""
    return next(Decimal(each["free"]) for each in account.body["balances"] if each["asset"] == asset)
