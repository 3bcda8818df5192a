"""Unmodified ccxt.pro follows this exchange's streams as it follows KuCoin's."""

import asyncio
from collections.abc import AsyncIterator, Callable
from types import ModuleType
from typing import Any

import pytest
import pytest_asyncio
from msgspec.structs import replace

from millrace_simulator.config import default_config
from millrace_simulator.server import Server, serve

from .conftest import settings

SYMBOL = "KCS/USDT"
WAIT_S = 60

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def live() -> AsyncIterator[Server]:
    """An exchange whose market moves by itself, with one symbol."""
    config = default_config("kucoin")
    symbols = tuple(rules for rules in config.symbols if rules.symbol == "KCS-USDT")
    async with await serve(replace(config, symbols=symbols, events_per_second=300, depth_interval_ms=50)) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def kucoin(ccxt: ModuleType, live: Server) -> AsyncIterator[Any]:
    """A client of the demo account."""
    async with ccxt.kucoin(settings(ccxt, live, "demo-key")) as exchange:
        yield exchange


async def test_the_followed_book_is_the_exchanges(kucoin: Any, live: Server) -> None:
    """Built from a snapshot and the changes, it is level by level what the exchange has at that sequence."""
    async with asyncio.timeout(WAIT_S):
        for _ in range(20):
            await kucoin.watch_order_book(SYMBOL)
        live.market.paused = True
        instrument = live.venue.instrument("KCS-USDT")
        try:
            book = kucoin.orderbooks[SYMBOL]
            await _until(lambda: book["nonce"] >= instrument.last_update_id)
        finally:
            live.market.paused = False
        shown = instrument.depth()
    scale = instrument.scale
    for side, levels in (("bids", shown.bids), ("asks", shown.asks)):
        exact = [[float(scale.price(price)), float(scale.quantity(total))] for price, total in levels]
        assert [list(level[:2]) for level in book[side]] == exact


@pytest.mark.parametrize("limit", [5, 50])
async def test_limited_books_come_whole(kucoin: Any, limit: int) -> None:
    """The topics of the best 5 and 50 levels need no snapshot."""
    async with asyncio.timeout(WAIT_S):
        book = await kucoin.watch_order_book(SYMBOL, limit)
    assert (len(book["bids"]), len(book["asks"])) == (limit, limit)


async def test_public_streams_are_understood(kucoin: Any) -> None:
    """Trades in order and without a hole, tickers of both kinds, best prices, candles."""
    async with asyncio.timeout(WAIT_S):
        while len(kucoin.trades.get(SYMBOL, ())) < 10:
            await kucoin.watch_trades(SYMBOL)
        ids = [int(trade["id"]) for trade in kucoin.trades[SYMBOL]]
        assert ids == list(range(ids[0], ids[0] + len(ids)))
        assert (await kucoin.watch_ticker(SYMBOL))["last"] > 0
        assert (await kucoin.watch_tickers([SYMBOL]))[SYMBOL]["bid"] > 0
        best = (await kucoin.watch_bids_asks([SYMBOL]))[SYMBOL]
        assert best["bid"] < best["ask"]
        candle = (await kucoin.watch_ohlcv(SYMBOL, "1m"))[-1]
        assert candle[3] <= candle[4] <= candle[2]


async def test_a_stream_ends_when_it_is_left(kucoin: Any) -> None:
    """After unsubscribing, the topic can be subscribed again."""
    async with asyncio.timeout(WAIT_S):
        for _ in range(2):
            await kucoin.watch_trades(SYMBOL)
            await kucoin.un_watch_trades(SYMBOL)


async def test_own_streams_tell_orders_fills_and_balances(kucoin: Any) -> None:
    """A resting order opens and is canceled, a market order fills; its fills and the balances follow."""
    async with asyncio.timeout(WAIT_S):
        before = await kucoin.fetch_balance()
        states: list[tuple[str, str]] = []
        following = asyncio.create_task(_follow_orders(kucoin, states)), asyncio.create_task(kucoin.watch_balance())
        await _acknowledged(kucoin, "/spotMarket/tradeOrders", "trade")
        price = round((await kucoin.fetch_ticker(SYMBOL))["last"] - 2, 3)
        resting = await kucoin.create_order(SYMBOL, "limit", "buy", 1, price, {"clientOid": "mine-1"})
        await _until(lambda: (resting["id"], "open") in states)
        assert kucoin.orders[0]["clientOrderId"] == "mine-1"
        await kucoin.cancel_order(resting["id"], SYMBOL)
        bought = await kucoin.create_order(SYMBOL, "market", "buy", 1)
        await _until(lambda: {(resting["id"], "canceled"), (bought["id"], "closed")} <= set(states))
        assert {fill["order"] for fill in kucoin.myTrades} == {bought["id"]}
        assert sum(fill["amount"] for fill in kucoin.myTrades) == 1
        await _until(lambda: kucoin.balance["trade"]["KCS"]["total"] == before["KCS"]["total"] + 1)
        for task in following:
            task.cancel()


async def test_stop_orders_have_a_stream_of_their_own(kucoin: Any) -> None:
    """A stop order that waits is reported when it is placed and when it is canceled."""
    async with asyncio.timeout(WAIT_S):
        await kucoin.load_markets()
        states: list[tuple[str, str]] = []
        following = asyncio.create_task(_follow_orders(kucoin, states, trigger=True))
        await _acknowledged(kucoin, "/spotMarket/advancedOrders")
        below = round((await kucoin.fetch_ticker(SYMBOL))["last"] - 2, 3)
        order = await kucoin.create_order(SYMBOL, "market", "sell", 1, None, {"stopLossPrice": below})
        await _until(lambda: (order["id"], "open") in states)
        assert kucoin.triggerOrders[0]["triggerPrice"] == below
        await kucoin.cancel_order(order["id"], SYMBOL, {"trigger": True})
        await _until(lambda: (order["id"], "canceled") in states)
        following.cancel()


async def _follow_orders(exchange: Any, states: list[tuple[str, str]], **params: Any) -> None:
    while True:
        for order in await exchange.watch_orders(SYMBOL, params=params):
            states.append((order["id"], order["status"]))  # noqa: PERF401 - each as it comes


async def _acknowledged(exchange: Any, *topics: str) -> None:
    """Wait until the exchange has acknowledged subscriptions: ccxt then forgets the requests' numbers."""

    def done() -> bool:
        asked = [key for client in exchange.clients.values() for key in client.subscriptions]
        return set(topics) <= set(asked) and not any(key.isdecimal() for key in asked)

    await _until(done)


async def _until(holds: Callable[[], bool]) -> None:
    while not holds():
        await asyncio.sleep(0.005)
