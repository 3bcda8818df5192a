"""Unmodified ccxt, with nothing but its addresses changed, trades here as it does at KuCoin."""

from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest
import pytest_asyncio

from millrace_simulator.server import Server

from .conftest import settings

pytestmark = pytest.mark.asyncio(loop_scope="session")

SYMBOL = "KCS/USDT"


@pytest_asyncio.fixture(loop_scope="session", params=["hf", "classic"])
async def either(
    ccxt: ModuleType, server: Server, numbers: Iterator[int], request: pytest.FixtureRequest
) -> AsyncIterator[Any]:
    """A client with an account of either kind."""
    async with ccxt.kucoin(settings(ccxt, server, f"{request.param}-{next(numbers)}")) as exchange:
        yield exchange


async def test_markets_load_with_and_without_keys(public: Any, kucoin: Any) -> None:
    """Symbols, steps and limits are understood; with keys currencies and the kind of account are asked for too."""
    for exchange in (public, kucoin):
        markets = await exchange.load_markets()
        assert {"KCS/USDT", "ETH/BTC", "ETH/USDT", "BTC/USDT"} <= set(markets)
        assert all(market["spot"] and market["active"] for market in markets.values())
        assert (markets[SYMBOL]["precision"]["price"], markets[SYMBOL]["limits"]["cost"]["min"]) == (0.001, 0.1)
        assert "KCS" in exchange.currencies
    assert kucoin.options["hf"] is True
    assert (await kucoin.fetch_trading_fee(SYMBOL))["taker"] == 0.001


async def test_market_data_is_understood(public: Any, kucoin: Any) -> None:
    """Book, trades, candles, tickers, time and status; with keys the whole book."""
    book = await public.fetch_order_book(SYMBOL, 20)
    assert (len(book["bids"]), book["bids"][0][0] < book["asks"][0][0]) == (20, True)
    whole = await kucoin.fetch_order_book(SYMBOL)
    assert len(whole["bids"]) > len((await public.fetch_order_book(SYMBOL))["bids"]) == 100
    assert whole["nonce"] == book["nonce"]
    candles = await public.fetch_ohlcv(SYMBOL, "1h", limit=50)
    assert len(candles) == 50
    assert all(low <= min(opened, close) <= max(opened, close) <= high for _, opened, high, low, close, _ in candles)
    ticker = await public.fetch_ticker(SYMBOL)
    assert (ticker["bid"], ticker["ask"]) == (book["bids"][0][0], book["asks"][0][0])
    assert {SYMBOL, "BTC/USDT"} <= set(await public.fetch_tickers())
    assert await public.fetch_time() > 1_600_000_000_000
    assert (await public.fetch_status())["status"] == "ok"


async def test_every_type_of_order_is_placed(either: Any) -> None:
    """Market by size and by funds, limit, post-only, IOC, FOK, GTT, hidden."""
    await either.load_markets()
    last = (await either.fetch_ticker(SYMBOL))["last"]
    below = round(last - 1, 3)
    bought = await either.create_order(SYMBOL, "market", "buy", 1)
    spent = await either.create_market_buy_order_with_cost(SYMBOL, 50)
    await either.create_order(SYMBOL, "market", "sell", 0.5)
    for order in (bought, spent):
        found = await either.fetch_order(order["id"], SYMBOL)
        assert (found["status"], found["fee"]["currency"]) == ("closed", "USDT")
    assert 49.9 < found["cost"] <= 50
    for params in ({}, {"postOnly": True}, {"timeInForce": "GTT", "cancelAfter": 60}, {"hidden": True}):
        order = await either.create_order(SYMBOL, "limit", "buy", 1, below, params)
        found = await either.fetch_order(order["id"], SYMBOL)
        assert (found["status"], found["filled"], found["remaining"]) == ("open", 0, 1)
        assert {name: found["info"][name] for name in params} == params or "cancelAfter" in params
    for time_in_force in ("IOC", "FOK"):
        order = await either.create_order(SYMBOL, "limit", "buy", 1, below, {"timeInForce": time_in_force})
        assert (await either.fetch_order(order["id"], SYMBOL))["status"] == "canceled"
    taking = await either.create_order(SYMBOL, "limit", "buy", 1, last + 1, {"postOnly": True})
    assert (await either.fetch_order(taking["id"], SYMBOL))["status"] == "canceled"
    assert len(await either.fetch_open_orders(SYMBOL)) == 4
    await either.cancel_all_orders(SYMBOL)
    assert await either.fetch_open_orders(SYMBOL) == []
    assert len(await either.fetch_closed_orders(SYMBOL)) == 10


async def test_an_order_is_followed_to_its_end(kucoin: Any) -> None:
    """Created, found by either id, edited, canceled; fills are own trades and the bought amount arrives whole."""
    await kucoin.load_markets()
    price = round((await kucoin.fetch_ticker(SYMBOL))["last"] - 1, 3)
    before = await kucoin.fetch_balance()
    order = await kucoin.create_order(SYMBOL, "limit", "buy", 2, price, {"clientOid": "abc-1"})
    assert (await kucoin.fetch_order(None, SYMBOL, {"clientOid": "abc-1"}))["id"] == order["id"]
    edited = await kucoin.edit_order(order["id"], SYMBOL, "limit", "buy", 3, price)
    found = await kucoin.fetch_order(edited["id"], SYMBOL)
    assert (found["amount"], found["clientOrderId"], edited["id"] != order["id"]) == (3, "abc-1", True)
    held = (await kucoin.fetch_balance())["USDT"]
    assert held["used"] == pytest.approx(3 * price * 1.001)
    assert held["total"] == before["USDT"]["total"]
    await kucoin.cancel_order(edited["id"], SYMBOL)
    assert (await kucoin.fetch_order(edited["id"], SYMBOL))["status"] == "canceled"
    bought = await kucoin.create_order(SYMBOL, "market", "buy", 2)
    mine = await kucoin.fetch_my_trades(SYMBOL)
    assert sum(Decimal(str(trade["amount"])) for trade in mine) == 2
    assert {(trade["order"], trade["takerOrMaker"], trade["fee"]["currency"]) for trade in mine} == {
        (bought["id"], "taker", "USDT")
    }
    after = await kucoin.fetch_balance()
    assert after["KCS"]["total"] == before["KCS"]["total"] + 2
    paid = sum(trade["cost"] + trade["fee"]["cost"] for trade in mine)
    assert after["USDT"]["total"] == pytest.approx(before["USDT"]["total"] - paid)
    closed = await kucoin.fetch_closed_orders(SYMBOL)
    assert [each["id"] for each in closed] == [order["id"], edited["id"], bought["id"]]


async def test_stop_orders_wait_and_are_canceled(either: Any) -> None:
    """Placed by trigger, stop-loss and take-profit price; listed by themselves, found and canceled by id."""
    await either.load_markets()
    last = (await either.fetch_ticker(SYMBOL))["last"]
    below, above = round(last - 1, 3), round(last + 1, 3)
    waiting = [
        await either.create_order(SYMBOL, "limit", "sell", 1, last, trigger)
        for trigger in ({"triggerPrice": above}, {"stopLossPrice": below}, {"takeProfitPrice": above})
    ]
    by_client_id = {"clientOid": "stop-1", "stopLossPrice": below}
    await either.create_order(SYMBOL, "market", "sell", 1, None, by_client_id)
    found = await either.fetch_order(waiting[1]["id"], SYMBOL, {"trigger": True})
    assert (found["triggerPrice"], found["status"], found["info"]["stop"]) == (below, "open", "loss")
    assert len(await either.fetch_open_orders(SYMBOL, params={"trigger": True})) == 4
    assert await either.fetch_open_orders(SYMBOL) == []
    await either.cancel_order(waiting[0]["id"], SYMBOL, {"trigger": True})
    await either.cancel_order(None, SYMBOL, {"trigger": True, "clientOid": "stop-1"})
    await either.cancel_all_orders(SYMBOL, {"trigger": True})
    assert await either.fetch_open_orders(SYMBOL, params={"trigger": True}) == []


@pytest.mark.parametrize(
    ("order", "error"),
    [
        ({"amount": 100_000}, "InsufficientFunds"),
        ({"amount": 0.001}, "InvalidOrder"),
        ({"amount": 0.00001}, "InvalidOrder"),
        ({"price": 0.001}, "InvalidOrder"),
        ({"params": {"iceberg": True}}, "BadRequest"),
        ({"params": {"clientOid": "not allowed!"}}, "BadRequest"),
    ],
)
async def test_refused_orders_have_their_class(
    ccxt: ModuleType, kucoin: Any, order: dict[str, Any], error: str
) -> None:
    """What KuCoin refuses is the same class of error here."""
    await kucoin.load_markets()
    last = (await kucoin.fetch_ticker(SYMBOL))["last"]
    asked = {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 1, "price": round(last - 1, 3), **order}
    with pytest.raises(getattr(ccxt, error)):
        await kucoin.create_order(**asked)


async def test_what_is_not_there_is_order_not_found(ccxt: ModuleType, either: Any) -> None:
    """Queries and cancels of unknown orders, and of ids that are none."""
    await either.load_markets()
    for order_id in ("5bd6e9286d99522a52e458de", "nonsense"):
        for ask in (either.fetch_order, either.cancel_order):
            with pytest.raises(ccxt.OrderNotFound):
                await ask(order_id, SYMBOL)


async def test_bad_keys_have_their_class(ccxt: ModuleType, server: Server) -> None:
    """An unknown key, a wrong secret, a wrong passphrase, and a clock that is slow."""
    for wrong, error in (
        ({"apiKey": "nobody"}, ccxt.AuthenticationError),
        ({"secret": "wrong"}, ccxt.AuthenticationError),
        ({"password": "wrong"}, ccxt.AuthenticationError),
        ({"options": {"timeDifference": 60_000}}, ccxt.InvalidNonce),
    ):
        async with ccxt.kucoin({**settings(ccxt, server, "demo-key"), **wrong}) as exchange:
            with pytest.raises(error):
                await exchange.private_get_accounts()
