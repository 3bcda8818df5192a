"""The unmodified client ccxt.pro, given only another address."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator
from decimal import Decimal
from types import ModuleType
from typing import Any

import msgspec
import pytest

from millrace_simulator.config import default_config
from millrace_simulator.server import Server, serve

SYMBOL = "KCS/USDT"


@pytest.fixture(scope="session")
def ccxt_pro() -> ModuleType:
    """Return ccxt.pro, whose import takes seconds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ccxt.pro
    return ccxt.pro


@pytest.fixture
async def live() -> AsyncIterator[Server]:
    """Return an exchange of two symbols with a lively market along the wall clock."""
    listed = tuple(rules for rules in default_config().symbols if rules.symbol in ("BTCUSDT", "KCSUSDT"))
    config = msgspec.structs.replace(default_config(), symbols=listed, events_per_second=400.0, depth_interval_ms=20)
    async with await serve(config) as running:
        yield running


@pytest.fixture(params=["/ws", "/stream"])
def stream_path(request: pytest.FixtureRequest) -> str:
    """Return each of the addresses that clients use for market streams."""
    return str(request.param)


@pytest.fixture
async def exchange(live: Server, ccxt_pro: ModuleType, stream_path: str) -> AsyncIterator[Any]:
    """Return ccxt's Binance, pointed at the simulator."""
    ws_url = live.url.replace("http", "ws")
    rest = dict.fromkeys(("public", "private", "v1"), f"{live.url}/api/v3")
    wallet = {"sapi": f"{live.url}/sapi/v1", "sapiV2": f"{live.url}/sapi/v2", "sapiV3": f"{live.url}/sapi/v3"}
    sockets = {"spot": ws_url + stream_path, "ws-api": {"spot": ws_url + "/ws-api/v3"}}
    client = ccxt_pro.binance(
        {
            "apiKey": "demo-key",
            "secret": "demo-secret",
            "enableRateLimit": False,
            "options": {"fetchMarkets": {"types": ["spot"]}},
            "urls": {"api": {**rest, **wallet, "ws": sockets}},
        }
    )
    async with asyncio.timeout(60):
        await client.load_markets()
        yield client
        await client.close()


async def test_watch_order_book_follows_the_venue(exchange: Any, live: Server) -> None:
    """After each update the book is exactly the venue's at the same update id."""
    instrument = live.venue.instrument("KCSUSDT")
    compared = 0
    while compared < 5:
        book = await exchange.watch_order_book(SYMBOL, 1000)
        if book["nonce"] != instrument.last_update_id:
            continue
        shown = instrument.depth(1000)
        assert [tuple(level) for level in book["bids"]] == [
            (float(instrument.scale.price(price)), float(instrument.scale.quantity(total)))
            for price, total in shown.bids
        ]
        compared += 1


async def test_watch_trades_ticker_and_candles(exchange: Any) -> None:
    """Market data streams are parsed into ccxt's unified structures."""
    trades, ticker, candles, best = await asyncio.gather(
        exchange.watch_trades("BTC/USDT"),
        exchange.watch_ticker("BTC/USDT", {"name": "ticker"}),
        exchange.watch_ohlcv("BTC/USDT", "1s"),
        exchange.watch_bids_asks(["BTC/USDT"]),
    )
    assert trades[-1]["symbol"] == ticker["symbol"] == "BTC/USDT"
    assert trades[-1]["amount"] > 0
    assert ticker["bid"] < ticker["ask"]
    assert len(candles[-1]) == 6
    assert best["BTC/USDT"]["bid"] < best["BTC/USDT"]["ask"]


class TestOrders:
    """Trading over the WebSocket API; the address of market streams does not matter."""

    @pytest.fixture
    def stream_path(self) -> str:
        """Return one address."""
        return "/ws"

    async def test_an_order_is_created_watched_and_canceled(self, exchange: Any) -> None:
        """Each change is seen by watch_orders, with the id that create_order_ws gave."""
        watching = asyncio.create_task(exchange.watch_orders(SYMBOL))
        await _subscribed(exchange)
        created = await exchange.create_order_ws(SYMBOL, "limit", "buy", 2, 5)
        (seen,) = await watching
        assert (seen["id"], seen["status"], seen["amount"], seen["price"]) == (created["id"], "open", 2.0, 5.0)
        assert [order["id"] for order in await exchange.fetch_open_orders_ws(SYMBOL)] == [created["id"]]
        watching = asyncio.create_task(exchange.watch_orders(SYMBOL))
        canceled = await exchange.cancel_order_ws(created["id"], SYMBOL)
        assert canceled["status"] == "canceled"
        (seen,) = await watching
        assert (seen["id"], seen["status"]) == (created["id"], "canceled")
        assert await exchange.fetch_open_orders_ws(SYMBOL) == []

    async def test_a_fill_shows_in_own_trades_and_balance(self, exchange: Any) -> None:
        """A market buy is filled at once; trade and balance come over the user data stream."""
        before = await exchange.fetch_balance()
        own_trades = asyncio.create_task(exchange.watch_my_trades(SYMBOL))
        balance = asyncio.create_task(exchange.watch_balance())
        await _subscribed(exchange)
        created = await exchange.create_order_ws(SYMBOL, "market", "buy", 1)
        assert (created["status"], created["filled"]) == ("closed", 1.0)
        trade = (await own_trades)[-1]
        assert (trade["order"], trade["symbol"], trade["fee"]["currency"]) == (created["id"], SYMBOL, "KCS")
        received = Decimal(str((await balance)["KCS"]["free"])) - Decimal(str(before["KCS"]["free"]))
        assert received == Decimal("0.999")

    async def test_refusals_are_ccxts_own_errors(self, exchange: Any, ccxt_pro: ModuleType) -> None:
        """An order that cannot be paid and one that does not exist raise what ccxt documents."""
        with pytest.raises(ccxt_pro.InsufficientFunds):
            await exchange.create_order_ws(SYMBOL, "limit", "buy", 1_000_000, 5)
        with pytest.raises(ccxt_pro.OrderNotFound):
            await exchange.cancel_order_ws("123456789", SYMBOL)


async def _subscribed(exchange: Any) -> None:
    """Wait until the user data stream is open: earlier events are not delivered."""
    await exchange.ensure_user_data_stream_ws_subscribe_signature("spot")
