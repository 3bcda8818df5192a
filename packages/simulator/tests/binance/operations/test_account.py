"""What an account asks about itself."""

from typing import Any

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="session")

ORDER_FIELDS = {
    "symbol",
    "orderId",
    "orderListId",
    "clientOrderId",
    "price",
    "origQty",
    "executedQty",
    "origQuoteOrderQty",
    "cummulativeQuoteQty",
    "status",
    "timeInForce",
    "type",
    "side",
    "stopPrice",
    "icebergQty",
    "time",
    "updateTime",
    "isWorking",
    "workingTime",
    "selfTradePreventionMode",
}
TRADE_FIELDS = {
    "symbol",
    "id",
    "orderId",
    "orderListId",
    "price",
    "qty",
    "quoteQty",
    "commission",
    "commissionAsset",
    "time",
    "isBuyer",
    "isMaker",
    "isBestMatch",
}
RESTING = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "1", "price": "6"}


async def test_the_account_has_every_documented_field(client: Any) -> None:
    """Strict clients decode all of it; every listed asset is there, also those with nothing."""
    account = (await client.signed("GET", "/api/v3/account")).body
    assert set(account) == {
        "makerCommission",
        "takerCommission",
        "buyerCommission",
        "sellerCommission",
        "commissionRates",
        "canTrade",
        "canWithdraw",
        "canDeposit",
        "brokered",
        "requireSelfTradePrevention",
        "preventSor",
        "updateTime",
        "accountType",
        "balances",
        "permissions",
        "uid",
    }
    assert set(account["commissionRates"]) == {"maker", "taker", "buyer", "seller"}
    assert {"BTC", "ETH", "KCS", "USDT"} <= {each["asset"] for each in account["balances"]}


async def test_balances_of_nothing_may_be_left_out(client: Any) -> None:
    """`omitZeroBalances` leaves what the account has."""
    some = (await client.signed("GET", "/api/v3/account", omitZeroBalances="true")).body["balances"]
    assert some
    assert all(float(each["free"]) or float(each["locked"]) for each in some)


async def test_an_open_order_locks_its_money(client: Any) -> None:
    """What an order would spend moves from free to locked."""
    await client.order(**RESTING)
    account = (await client.signed("GET", "/api/v3/account")).body
    assert next(each["locked"] for each in account["balances"] if each["asset"] == "USDT") == "6.00000000"


async def test_orders_are_listed_with_every_field(client: Any) -> None:
    """Open orders of one symbol and of all, and all orders with the final ones, oldest first."""
    first = (await client.order(**RESTING)).body["orderId"]
    second = (await client.order(side="BUY", type="MARKET", quantity="1")).body["orderId"]
    for params in ({}, {"symbol": "KCSUSDT"}):
        (order,) = (await client.signed("GET", "/api/v3/openOrders", **params)).body
        assert set(order) == ORDER_FIELDS
        assert order["orderId"] == first
    listed = (await client.signed("GET", "/api/v3/allOrders", symbol="KCSUSDT")).body
    assert [order["orderId"] for order in listed] == [first, second]
    later = (await client.signed("GET", "/api/v3/allOrders", symbol="KCSUSDT", orderId=second, limit=1)).body
    assert [order["orderId"] for order in later] == [second]
    assert (await client.signed("GET", "/api/v3/openOrders", symbol="BTCUSDT")).body == []
    assert (await client.signed("GET", "/api/v3/openOrders", symbol="NOSUCH")).refusal == (400, -1121)


async def test_own_trades_are_in_the_public_stream(client: Any) -> None:
    """A fill has the same id, price and quantity in myTrades and in the public trades."""
    placed = (await client.order(side="BUY", type="MARKET", quantity="2")).body
    mine = (await client.signed("GET", "/api/v3/myTrades", symbol="KCSUSDT", orderId=placed["orderId"])).body
    assert {frozenset(trade) for trade in mine} == {frozenset(TRADE_FIELDS)}
    assert [trade["id"] for trade in mine] == [fill["tradeId"] for fill in placed["fills"]]
    public = (await client.get("/api/v3/trades", symbol="KCSUSDT", limit=len(mine))).body
    assert [(t["id"], t["price"], t["qty"], t["quoteQty"]) for t in public] == [
        (t["id"], t["price"], t["qty"], t["quoteQty"]) for t in mine
    ]
    assert all(trade["isBuyer"] and not trade["isMaker"] for trade in mine)
    from_id = (await client.signed("GET", "/api/v3/myTrades", symbol="KCSUSDT", fromId=mine[-1]["id"])).body
    assert [trade["id"] for trade in from_id] == [mine[-1]["id"]]


async def test_a_span_over_a_day_is_refused(client: Any) -> None:
    """StartTime and endTime lie 24 h apart at most."""
    for path in ("/api/v3/myTrades", "/api/v3/allOrders"):
        answer = await client.signed("GET", path, symbol="KCSUSDT", startTime=1, endTime=86_400_002)
        assert answer.refusal == (400, -1127)


async def test_the_commission_is_the_accounts(client: Any) -> None:
    """A symbol's commission shows the account's rates."""
    commission = (await client.signed("GET", "/api/v3/account/commission", symbol="KCSUSDT")).body
    assert commission["symbol"] == "KCSUSDT"
    assert set(commission) == {"symbol", "standardCommission", "specialCommission", "taxCommission", "discount"}
    assert commission["standardCommission"]["taker"] == "0.00100000"
