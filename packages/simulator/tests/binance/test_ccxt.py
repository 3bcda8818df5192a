"""Unmodified ccxt, with nothing but its addresses changed, trades here as it does at Binance."""

import importlib
from collections.abc import AsyncIterator
from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest
import pytest_asyncio
from msgspec.structs import replace

from millrace_simulator.config import Limits, default_config
from millrace_simulator.server import Server, serve

pytestmark = pytest.mark.asyncio(loop_scope="session")

SYMBOL = "KCS/USDT"


@pytest.fixture(scope="session")
def ccxt() -> ModuleType:
    """Ccxt's asynchronous face; its import takes seconds."""
    return importlib.import_module("ccxt.async_support")


def addresses(ccxt: ModuleType, url: str) -> dict[str, str]:
    """Ccxt's own addresses of Binance, each moved to `url` with its path unchanged."""
    urls: dict[str, str] = ccxt.binance().urls["api"]
    return {name: url + "/" + address.split("/", 3)[3] for name, address in urls.items() if isinstance(address, str)}


def settings(ccxt: ModuleType, server: Server) -> dict[str, Any]:
    """What points ccxt at the simulator."""
    return {"urls": {"api": addresses(ccxt, server.url)}, "enableRateLimit": False}


@pytest_asyncio.fixture(loop_scope="session")
async def public(ccxt: ModuleType, server: Server) -> AsyncIterator[Any]:
    """A client without keys."""
    async with ccxt.binance(settings(ccxt, server)) as exchange:
        yield exchange


@pytest_asyncio.fixture(loop_scope="session")
async def binance(ccxt: ModuleType, server: Server, key: str) -> AsyncIterator[Any]:
    """A client with an account of its own."""
    async with ccxt.binance({**settings(ccxt, server), "apiKey": key, "secret": "demo-secret"}) as exchange:
        yield exchange


async def test_markets_load_without_keys(public: Any) -> None:
    """Symbols, precisions and limits are understood; so are the derivatives exchanges that list nothing."""
    markets = await public.load_markets()
    assert {"KCS/USDT", "ETH/BTC", "ETH/USDT", "BTC/USDT"} <= set(markets)
    assert all(market["spot"] and market["active"] for market in markets.values())
    assert markets[SYMBOL]["precision"]["price"] < 0.1
    assert markets[SYMBOL]["limits"]["cost"]["min"] == 5


async def test_markets_load_with_keys(ccxt: ModuleType, server: Server) -> None:
    """With keys ccxt loads coins first, and margin pairs where it is asked to."""
    keys = {"apiKey": "demo-key", "secret": "demo-secret", "options": {"fetchMargins": True}}
    async with ccxt.binance({**settings(ccxt, server), **keys}) as exchange:
        await exchange.load_markets()
        assert "KCS" in exchange.currencies
        assert (await exchange.fetch_trading_fee(SYMBOL))["taker"] == 0.001


async def test_market_data_is_understood(public: Any) -> None:
    """Book, trades, candles, tickers, time and status."""
    book = await public.fetch_order_book(SYMBOL, 20)
    assert book["bids"][0][0] < book["asks"][0][0]
    candles = await public.fetch_ohlcv(SYMBOL, "1m", limit=100)
    assert len(candles) == 100
    ticker = await public.fetch_ticker(SYMBOL)
    assert ticker["bid"] == book["bids"][0][0]
    assert {SYMBOL, "BTC/USDT"} <= set(await public.fetch_tickers())
    assert set(await public.fetch_bids_asks([SYMBOL, "BTC/USDT"])) == {SYMBOL, "BTC/USDT"}
    assert (await public.fetch_last_prices([SYMBOL]))[SYMBOL]["price"] == ticker["last"]
    assert await public.fetch_time() > 1_600_000_000_000
    assert (await public.fetch_status())["status"] == "ok"


async def test_every_type_of_order_is_placed(binance: Any) -> None:
    """Market by amount and by cost, limit, post-only, IOC, FOK, stop and take-profit."""
    await binance.load_markets()
    last = (await binance.fetch_ticker(SYMBOL))["last"]
    below, above = round(last - 1, 3), round(last + 1, 3)
    assert (await binance.create_order(SYMBOL, "market", "buy", 1))["status"] == "closed"
    assert (await binance.create_market_buy_order_with_cost(SYMBOL, 50))["cost"] <= 50
    assert (await binance.create_order(SYMBOL, "limit", "buy", 1, below))["status"] == "open"
    assert (await binance.create_order(SYMBOL, "limit", "buy", 1, below, {"postOnly": True}))["id"]
    for time_in_force in ("IOC", "FOK"):
        order = await binance.create_order(SYMBOL, "limit", "buy", 1, below, {"timeInForce": time_in_force})
        assert order["status"] == "expired"
    for trigger in ({"stopLossPrice": below}, {"takeProfitPrice": above}):
        waiting = await binance.create_order(SYMBOL, "limit", "sell", 1, last, trigger)
        assert (await binance.fetch_order(waiting["id"], SYMBOL))["status"] == "open"
        assert (await binance.create_order(SYMBOL, "market", "sell", 1, None, trigger))["id"]
    assert len(await binance.fetch_open_orders(SYMBOL)) == 6
    assert len(await binance.cancel_all_orders(SYMBOL)) == 6
    assert await binance.fetch_open_orders(SYMBOL) == []


async def test_an_order_is_followed_to_its_end(binance: Any) -> None:
    """Created, found by either id, edited, canceled; fills are in own trades and in the public ones."""
    price = round((await binance.fetch_ticker(SYMBOL))["last"] - 1, 3)
    order = await binance.create_order(SYMBOL, "limit", "buy", 2, price, {"clientOrderId": "abc-1"})
    assert order["clientOrderId"] == "abc-1"
    found = await binance.fetch_order(None, SYMBOL, {"clientOrderId": "abc-1"})
    assert found["id"] == order["id"]
    edited = await binance.edit_order(order["id"], SYMBOL, "limit", "buy", 3, price)
    assert (edited["amount"], edited["id"] != order["id"]) == (3, True)
    assert (await binance.cancel_order(edited["id"], SYMBOL))["status"] == "canceled"
    bought = await binance.create_order(SYMBOL, "market", "buy", 2)
    mine = await binance.fetch_my_trades(SYMBOL)
    assert sum(Decimal(str(trade["amount"])) for trade in mine) == 2
    assert {trade["order"] for trade in mine} == {bought["id"]}
    public = {
        trade["id"] for trade in await binance.fetch_trades(SYMBOL, params={"fetchTradesMethod": "publicGetTrades"})
    }
    assert {trade["id"] for trade in mine} <= public
    assert [each["id"] for each in await binance.fetch_orders(SYMBOL)] == [order["id"], edited["id"], bought["id"]]
    assert len(await binance.fetch_trades(SYMBOL)) >= 1


async def test_balances_are_understood(binance: Any) -> None:
    """What an open order holds is used, the rest is free."""
    before = (await binance.fetch_balance())["USDT"]
    price = round((await binance.fetch_ticker(SYMBOL))["last"] - 1, 3)
    await binance.create_order(SYMBOL, "limit", "buy", 10, price)
    after = (await binance.fetch_balance())["USDT"]
    assert after["total"] == before["total"] > 0
    assert after["used"] == pytest.approx(10 * price)


@pytest.mark.parametrize(
    ("order", "error"),
    [
        ({"amount": 1e8, "price": None, "type": "market"}, "InvalidOrder"),
        ({"amount": 200_000}, "InsufficientFunds"),
        ({"price": 0.001}, "InvalidOrder"),
        ({"price": 1_000_000, "params": {"postOnly": True}}, "InvalidOrder"),
        ({"params": {"stopLossPrice": 0.01}, "side": "buy"}, "OrderImmediatelyFillable"),
    ],
)
async def test_refused_orders_have_their_class(
    ccxt: ModuleType, binance: Any, order: dict[str, Any], error: str
) -> None:
    """What Binance refuses is the same class of error here."""
    await binance.load_markets()
    last = (await binance.fetch_ticker(SYMBOL))["last"]
    asked = {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 1, "price": round(last - 1, 3), **order}
    with pytest.raises(getattr(ccxt, error)):
        await binance.create_order(**asked)


async def test_what_is_not_there_is_order_not_found(ccxt: ModuleType, binance: Any) -> None:
    """Queries and cancels of unknown orders."""
    for ask in (binance.fetch_order, binance.cancel_order):
        with pytest.raises(ccxt.OrderNotFound):
            await ask("123456789", SYMBOL)


async def test_duplicates_and_unknown_symbols_are_refused(ccxt: ModuleType, binance: Any) -> None:
    """A client order id that an open order has is an invalid order; a symbol that is not listed a bad one."""
    price = round((await binance.fetch_ticker(SYMBOL))["last"] - 1, 3)
    await binance.create_order(SYMBOL, "limit", "buy", 1, price, {"clientOrderId": "once"})
    with pytest.raises(ccxt.InvalidOrder, match="Duplicate order sent"):
        await binance.create_order(SYMBOL, "limit", "buy", 1, price, {"clientOrderId": "once"})
    with pytest.raises(ccxt.BadSymbol):
        await binance.public_get_depth({"symbol": "NOSUCH"})


async def test_bad_keys_and_clocks_have_their_class(ccxt: ModuleType, server: Server) -> None:
    """An unknown key, a wrong secret, and a clock that is slow."""
    for keys, error in (
        ({"apiKey": "nobody", "secret": "demo-secret"}, ccxt.AuthenticationError),
        ({"apiKey": "demo-key", "secret": "wrong"}, ccxt.AuthenticationError),
        ({"apiKey": "demo-key", "secret": "demo-secret", "options": {"timeDifference": 60_000}}, ccxt.InvalidNonce),
    ):
        async with ccxt.binance({**settings(ccxt, server), **keys}) as exchange:
            with pytest.raises(error):
                await exchange.private_get_account()


async def test_an_ed25519_key_signs(ccxt: ModuleType) -> None:
    """An account with a public key takes ccxt's Ed25519 signatures."""
    serialization = importlib.import_module("cryptography.hazmat.primitives.serialization")
    ed25519 = importlib.import_module("cryptography.hazmat.primitives.asymmetric.ed25519")
    private = ed25519.Ed25519PrivateKey.generate()
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    config = replace(default_config(), symbols=default_config().symbols[:1])
    account = replace(config.accounts[0], secret=None, public_key=public.decode())
    async with await serve(replace(config, accounts=(account,)), drive_market=False) as server:
        keys = {"apiKey": account.api_key, "secret": pem}
        async with ccxt.binance({**settings(ccxt, server), **keys}) as exchange:
            assert (await exchange.fetch_balance())["USDT"]["free"] > 0


async def test_a_broken_rate_limit_is_ddos_protection(ccxt: ModuleType) -> None:
    """429 has ccxt's class for it."""
    config = replace(default_config(), symbols=default_config().symbols[:1], limits=Limits(weight_per_minute=2))
    async with await serve(config, drive_market=False) as server, ccxt.binance(settings(ccxt, server)) as exchange:
        with pytest.raises(ccxt.DDoSProtection):
            for _ in range(4):
                await exchange.public_get_ping()


async def test_order_lists_by_its_raw_methods(binance: Any) -> None:
    """Ccxt's raw methods of Binance's paths place a pair and find it; its unified ones show and cancel it."""
    await binance.load_markets()
    last = Decimal(str((await binance.fetch_ticker(SYMBOL))["last"]))
    legs = {"aboveType": "LIMIT_MAKER", "abovePrice": str(last + 1), "belowType": "STOP_LOSS_LIMIT"}
    stop = {"belowStopPrice": str(last - 1), "belowPrice": str(last - 2), "belowTimeInForce": "GTC"}
    placed = await binance.private_post_orderlist_oco(
        {"symbol": "KCSUSDT", "side": "SELL", "quantity": "4", **legs, **stop}
    )
    assert len(await binance.fetch_open_orders(SYMBOL)) == 2
    (listed,) = await binance.private_get_openorderlist()
    assert listed["orderListId"] == placed["orderListId"]
    canceled = await binance.cancel_order(placed["orders"][0]["orderId"], SYMBOL)
    assert (canceled["info"]["listOrderStatus"], await binance.fetch_open_orders(SYMBOL)) == ("ALL_DONE", [])


async def test_an_unknown_parameter_is_a_bad_request(ccxt: ModuleType, binance: Any) -> None:
    """What a strategy's author misspells is an error, and no order."""
    with pytest.raises(ccxt.BadRequest, match="Not all sent parameters were read"):
        await binance.create_order(SYMBOL, "limit", "buy", 1, 6, {"novelty": True})
    assert await binance.fetch_open_orders(SYMBOL) == []
