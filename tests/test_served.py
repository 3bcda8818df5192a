"""The API on the whole platform: its markets and orders equal those of the exchange itself."""

import csv
import io
import json
import logging
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from tests.support.databases import Database
from tests.support.fills import Account
from tests.support.platform import STORED_KINDS, Platform, running, until
from tests.support.served import TENANT, Api, api_of
from tests.support.trading import BUSY, two_pairs

log = logging.getLogger(__name__)

SYMBOL, MARKET = "KCS/USDT", "KCSUSDT"
OF_MARKET = {"exchange": "binance", "symbol": SYMBOL}
BOOK = f"stream.{TENANT}.binance.watchOrderBook.{SYMBOL}"
FILLED = 4
"""Orders that must have been filled before the strategy is ended."""
SAID = {"FILLED": "closed", "CANCELED": "canceled", "NEW": "open", "PARTIALLY_FILLED": "open", "EXPIRED": "expired"}
"""Statuses of orders as Binance spells them, in ccxt's words."""
WAY = {"decided→accepted", "accepted→sent", "sent→acknowledged"}
"""Hops of every order of a strategy, whatever made it decide."""

on_postgresql = pytest.mark.parametrize("server_if_any", ["postgresql"], indirect=True)


def one_strategy(kind: str, config: dict[str, Any]) -> None:
    """Trade one symbol of two: exchanges number the orders of each symbol separately."""
    two_pairs(kind, config)
    if kind == "magicbox":
        del config["workplans"][0]["plugins"][1:]


@on_postgresql
@pytest.mark.system
@pytest.mark.timeout(180)
async def test_the_api_equals_the_exchange(tmp_path: Path, database: Database) -> None:
    """Trades, own orders and their histories, fills, a live book, an export: each held against the exchange's own."""
    async with (
        running(tmp_path, STORED_KINDS, simulator=BUSY, change=one_strategy, database=database) as platform,
        api_of(platform) as api,
    ):
        await filled(platform, api)
        await check_live_book(platform, api)
        await platform.end("magicbox")
        await check_orders(platform, api)
        await check_profit(platform, api)
        await check_order_history(platform, api)
        await check_balances(platform, api)
        await check_trades(platform, api)
        assert await api.all("/gaps") == []
        hops = {row["hop"] for row in (await api.get("/latencies"))["items"]}
        assert {"exchange→received", "received→published"} <= hops


async def filled(platform: Platform, api: Api) -> None:
    """Wait until the API lists some filled orders."""

    async def enough() -> bool:
        return len((await api.get("/orders", status="closed"))["items"]) >= FILLED

    await until(enough, f"{FILLED} orders are filled and stored", 60, platform)


async def check_orders(platform: Platform, api: Api) -> None:
    """Hold every order, and every fill of one, against the exchange's own list."""
    theirs: dict[str, dict[str, Any]] = {}

    async def all_final() -> dict[str, Any] | None:
        found = await platform.get_signed("/api/v3/allOrders", symbol=MARKET)
        theirs.update({str(order["orderId"]): order for order in found})
        orders = {row["order"]["id"]: row["order"] for row in await api.all("/orders", **OF_MARKET)}
        is_final = all(order["status"] != "open" for order in orders.values())
        return orders if is_final and orders.keys() == theirs.keys() else None

    ours = await until(all_final, "every order's end is stored", platform=platform)
    for order_id, order in ours.items():
        their = theirs[order_id]
        assert order["status"] == SAID[their["status"]], f"{order} is {their}"
        assert Decimal(order["filled"]) == Decimal(their["executedQty"]), f"{order} is {their}"
        assert Decimal(order["amount"]) == Decimal(their["origQty"]), f"{order} is {their}"
        assert Decimal(order["price"]) == Decimal(their["price"]), f"{order} is {their}"
        assert order["side"] == their["side"].lower()
    trades = await platform.get_signed("/api/v3/myTrades", symbol=MARKET)

    async def all_fills() -> list[dict[str, Any]] | None:
        fills = await api.all("/own-trades")
        return fills if len(fills) >= len(trades) else None

    fills = await until(all_fills, "every fill is stored", platform=platform)
    reported = [(fill["id"], fill["order"], Decimal(fill["price"]), Decimal(fill["amount"])) for fill in fills]
    assert sorted(reported) == sorted(
        (str(t["id"]), str(t["orderId"]), Decimal(t["price"]), Decimal(t["qty"])) for t in trades
    )
    log.info("%d orders and %d fills are the exchange's own", len(ours), len(reported))


async def check_profit(platform: Platform, api: Api) -> None:
    """Hold position and profit against a count of the exchange's own list of fills."""
    count = Account()
    for trade in await platform.get_signed("/api/v3/myTrades", symbol=MARKET):
        amount = Decimal(trade["qty"]) * (1 if trade["isBuyer"] else -1)
        fees = [(Decimal(trade["commission"]), trade["commissionAsset"])]
        count.fill(amount, Decimal(trade["price"]), fees)

    async def all_attributed() -> dict[str, Any] | None:
        rows = await api.all("/positions")
        return rows[0] if [row["orderSource"] for row in rows] == ["PingPong-KCS"] else None

    row = await until(all_attributed, "every fill is the strategy's", platform=platform)
    shown = [Fraction(row[name]) for name in ("quantity", "cost", "realised", "fees")]
    assert (row["trades"], shown) == (count.trades, [count.held, count.cost, count.profit, count.fees])
    (profit,) = (await api.get("/pnl", by="source"))["items"]
    assert (profit["orderSource"], profit["realised"]) == ("PingPong-KCS", row["realised"])
    log.info("position and profit are those of the exchange's %d fills", count.trades)


async def check_order_history(platform: Platform, api: Api) -> None:
    """Check the history of a filled order: asked for, answered with the time of each hop, filled."""
    newest = (await api.get("/orders", status="closed", limit=1))["items"][0]
    history = await api.get(f"/orders/{newest['order']['id']}")
    # It may have been asked to cancel it too, too late.
    asked, answer = (
        next(one for one in history[part] if one["action"] == "createOrder") for part in ("requests", "responses")
    )
    assert asked["requestId"] == answer["requestId"] == history["order"]["requestId"]
    assert (answer["status"], answer["orderSource"]) == ("done", "PingPong-KCS")
    assert answer["latencies"].keys() >= WAY
    assert all(ns >= 0 for ns in answer["latencies"].values())
    assert [event["order"]["status"] for event in history["events"]][-1] == "closed"
    fills = sum(Decimal(fill["amount"]) for fill in history["fills"])
    assert fills == Decimal(history["order"]["order"]["filled"]) > 0
    log.info("the way of order %s, ns: %s", newest["order"]["id"], answer["latencies"])


async def check_balances(platform: Platform, api: Api) -> None:
    """Hold the newest of each balance against the exchange's own, those that never changed too."""
    account = await platform.get_signed("/api/v3/account")
    theirs = {one["asset"]: Decimal(one["free"]) for one in account["balances"] if Decimal(one["free"])}

    async def all_reported() -> bool:
        rows = await api.all("/balances", exchange="binance", descending="false")
        ours = {row["currency"]: Decimal(row["free"]) for row in rows}
        return theirs.items() <= ours.items()

    await until(all_reported, "every balance is the exchange's", platform=platform)
    log.info("%d balances are the exchange's own", len(theirs))


async def check_trades(platform: Platform, api: Api) -> None:
    """Hold the market's trades against the exchange's own list, and an export of them against the pages."""
    newest = (await api.get("/trades", **OF_MARKET, descending="true", limit=1))["items"][0]
    until_ms = {"until": newest["atMs"]}
    ours = await api.all("/trades", **OF_MARKET, **until_ms, limit=100)
    theirs = await platform.get("/simulator/trades", symbol=MARKET, fromId=ours[0]["id"])
    of_same_time = [trade for trade in theirs if trade["id"] <= int(ours[-1]["id"])]
    reported = [(trade["id"], Decimal(trade["price"]), Decimal(trade["amount"])) for trade in ours]
    assert reported == [(str(t["id"]), Decimal(t["price"]), Decimal(t["qty"])) for t in of_same_time]
    exported = csv.DictReader(io.StringIO(await api.text("/exports/trades", **OF_MARKET, **until_ms, format="csv")))
    assert [(row["trade_id"], Decimal(row["price"]), Decimal(row["amount"])) for row in exported] == reported
    log.info("%d trades are the exchange's own, in pages and as CSV", len(reported))


async def check_live_book(platform: Platform, api: Api) -> None:
    """Follow a book over the WebSocket, with a break in between; at each step it is the exchange's own."""
    book: dict[str, dict[float, float]] = {"bids": {}, "asks": {}}
    last = await follow(platform, api, book, {}, messages=30)
    await follow(platform, api, book, {"since": last}, messages=30)


async def follow(
    platform: Platform, api: Api, book: dict[str, dict[float, float]], since: dict[str, str], messages: int
) -> str:
    """Apply a number of messages to a book; return the id of the last."""
    last, applied = since.get("since"), 0
    async with api.http.ws_connect("/api/v1/live") as socket:
        await socket.send_json({"op": "subscribe", "stream": BOOK} | since)
        while applied < messages:
            message = json.loads((await socket.receive(timeout=60)).data)
            if message["type"] == "snapshot":
                assert not since, "the journal reaches back to the break"
                book.update({side: {} for side in book})
            elif message["type"] in ("delta", "status"):
                assert last is not None
                epoch, seq = last.split("-")
                assert message["id"] == f"{epoch}-{int(seq) + 1}", "a message is missing"
            if message["type"] in ("snapshot", "delta"):
                await apply(platform, book, message["data"])
                applied += 1
            last = message.get("id") or last
    assert last is not None
    return last


async def apply(platform: Platform, book: dict[str, dict[float, float]], data: dict[str, Any]) -> None:
    """Apply what changed, and compare the whole with the exchange's book of that number."""
    theirs = await platform.get("/simulator/book", symbol=MARKET, updateId=data["nonce"])
    for side, levels in book.items():
        levels.update(dict(data[side]))
        gone = [price for price, amount in levels.items() if not amount]
        for price in gone:
            del levels[price]
        assert levels == {float(p): float(q) for p, q in theirs[side]}, f"{side} at {data['nonce']}"


@pytest.mark.system
async def test_orders_of_two_symbols_that_have_one_number_are_two(tmp_path: Path, database: Database) -> None:
    """Binance numbers each symbol's orders separately: the API mixes no two that share a number."""
    kinds, silent = ("executor", "dbsync", "api"), {"eventsPerSecond": 0}
    async with (
        running(tmp_path, kinds, simulator=silent, change=two_pairs, database=database) as platform,
        api_of(platform) as api,
    ):
        await until(lambda: account_trades(platform), "the account trades", platform=platform)
        prices = {"KCS/USDT": "5", "XRP/USDT": "1.5"}
        placed = [await place(api, symbol, price) for symbol, price in prices.items()]
        assert placed[0] == placed[1], "in a market that stands still both symbols have had as many orders"

        async def both() -> bool:
            return len(await api.all("/answers")) == len(prices)

        await until(both, "both answers are stored", platform=platform)
        orders = [row["order"] for row in await api.all("/orders")]
        reported = sorted((order["symbol"], Decimal(order["price"])) for order in orders)
        assert reported == sorted((symbol, Decimal(price)) for symbol, price in prices.items())
        path = f"/orders/{placed[0]}"
        assert (await api.ask("GET", path)).status == 422
        for symbol in prices:
            history = await api.get(path, symbol=symbol)
            assert {answer["symbol"] for answer in history["responses"]} == {symbol}
            assert {event["order"]["symbol"] for event in history["events"]} == {symbol}


async def account_trades(platform: Platform) -> bool:
    """Tell whether the executor's account is live."""
    beat = await platform.heartbeat("executor") or {"units": []}
    return {"StrankaXY.binance": "live"}.items() <= {unit["name"]: unit["state"] for unit in beat["units"]}.items()


async def place(api: Api, symbol: str, price: str) -> str:
    """Place a resting order through the API; return the exchange's id of it."""
    payload = {"symbol": symbol, "side": "buy", "type": "limit", "amountBase": "10", "price": price}
    answer = await api.ask("POST", "/orders", json={"exchangeId": "binance", "payload": payload})
    assert answer.status == 200, answer
    return str(answer.body["order"]["id"])
