import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from millrace_core.book import OrderBook
from millrace_core.market import Balances, Candle, Level, Ticker, Trade
from millrace_core.orders import Order
from millrace_core.requests import CreatePayload
from millrace_exchange import Event, Exchange, Retryable
from millrace_simulator.server import Server

SYMBOL = "ETH/BTC"
OWN = "KCS/USDT"
DEPTH_INTERVAL_S = 0.012
"""Longer than the simulator gathers changes of a book, by the wall clock, before it sends them at a step's end."""


class Ear:
    """Hears everything, and lets a test wait until something holds."""

    def __init__(self) -> None:
        self.book = OrderBook()
        self.resets = 0
        self.breaks: list[str] = []
        self.trades: list[Trade] = []
        self.orders: list[Order] = []
        self.balances: Balances = {}
        self.ticker: Ticker = {}
        self.candles: list[Candle] = []
        self.events: list[Event] = []
        self._heard = asyncio.Event()

    def book_reset(self, bids: list[Level], asks: list[Level], nonce: int | None, event: Event) -> None:
        """Hear of a whole book."""
        self.resets += 1
        self.book.replace(bids, asks, nonce)
        self._note(event)

    def book_changed(self, bids: list[Level], asks: list[Level], nonce: int | None, event: Event) -> None:
        """Hear of changed levels."""
        self.book.apply(bids, asks, nonce)
        self._note(event)

    def book_broken(self, reason: str) -> None:
        """Hear that the book is wrong."""
        self.breaks.append(reason)
        self._heard.set()

    def traded(self, trades: list[Trade], event: Event) -> None:
        """Hear of trades."""
        self.trades += trades
        self._note(event)

    def orders_changed(self, orders: list[Order], event: Event) -> None:
        """Hear of orders."""
        self.orders += orders
        self._note(event)

    def balance_changed(self, balances: Balances, event: Event) -> None:
        """Hear of balances."""
        self.balances |= balances
        self._note(event)

    def ticker_changed(self, ticker: Ticker, event: Event) -> None:
        """Hear of a ticker."""
        self.ticker = ticker
        self._note(event)

    def candles_changed(self, candles: list[Candle], event: Event) -> None:
        """Hear of candles."""
        self.candles += candles
        self._note(event)

    def _note(self, event: Event) -> None:
        self.events.append(event)
        self._heard.set()

    async def until(self, holds: Callable[[], Any]) -> None:
        """Wait until something heard makes it true."""
        async with asyncio.timeout(10):
            while not holds():
                self._heard.clear()
                await self._heard.wait()


@asynccontextmanager
async def following(stream: Any) -> AsyncIterator["asyncio.Task[None]"]:
    """Follow a stream for a while; what it raises before its end is raised here."""
    task = asyncio.create_task(stream)
    yield task
    if task.done():
        task.result()
    task.cancel()
    await asyncio.wait({task})


async def test_every_change_of_the_book_arrives(exchange: Exchange, simulator: Server, step: Any) -> None:
    """The book that the told changes add up to is the exchange's own at the same update id."""
    ear = Ear()
    instrument = simulator.venue.instruments["ETHBTC"]
    async with following(exchange.feed.order_book(SYMBOL, ear)):
        await ear.until(lambda: ear.resets)
        for _ in range(20):
            await asyncio.sleep(DEPTH_INTERVAL_S)
            step()
            await ear.until(lambda: ear.book.nonce == instrument.last_update_id)
            depth = await exchange.ccxt.fetch_order_book(SYMBOL, 5000)
            assert depth["nonce"] == ear.book.nonce
            assert ear.book.bids.levels() == [tuple(level) for level in depth["bids"]]
            assert ear.book.asks.levels() == [tuple(level) for level in depth["asks"]]
    assert ear.resets == 1
    assert ear.events[-1].timestamp is not None


async def test_every_trade_arrives_once_and_in_order(exchange: Exchange, simulator: Server, step: Any) -> None:
    """A burst of far more trades than ccxt keeps is told whole: no id is missing, none comes twice."""
    ear = Ear()
    async with following(exchange.feed.trades(SYMBOL, ear)):
        while not ear.trades:
            step()
            await asyncio.sleep(0)
        for _ in range(40):
            step(400)
        last = (await exchange.feed.fetch_trades(SYMBOL))[-1]
        await ear.until(lambda: ear.trades[-1].id == last.id)
    ids = [int(trade.id or 0) for trade in ear.trades]
    assert ids == list(range(ids[0], int(last.id or 0) + 1))
    assert len(ids) > 1_000


async def test_trades_after_one_can_be_asked_for(exchange: Exchange, step: Any) -> None:
    """With a key the answer begins right behind the trade named, with the stream's own ids."""
    step(2_000)
    newest = await exchange.feed.fetch_trades(SYMBOL)
    after = await exchange.feed.fetch_trades(SYMBOL, newest[-3])
    assert [trade.id for trade in after] == [trade.id for trade in newest[-2:]]


async def test_own_orders_trades_and_balances_arrive(exchange: Exchange) -> None:
    """A fill is told as order, as trade and as balance."""
    orders, trades, balance = Ear(), Ear(), Ear()
    async with (
        following(exchange.feed.orders(OWN, orders)),
        following(exchange.feed.my_trades(OWN, trades)),
        following(exchange.feed.balance(balance)),
    ):
        # The subscription is one for all three; only its first answer shows that it stands.
        payload = CreatePayload(symbol=OWN, side="buy", type="market", amount_base=Decimal(3))
        await asyncio.sleep(0.2)
        placed = await exchange.account.create_order(payload, "own-1")
        await orders.until(lambda: orders.orders and orders.orders[-1].status == "closed")
        await trades.until(lambda: sum(trade.amount for trade in trades.trades) == 3)
        await balance.until(lambda: "KCS" in balance.balances)
    assert {order.id for order in orders.orders} == {placed.order.id}
    assert {trade.order for trade in trades.trades} == {placed.order.id}
    assert balance.balances["KCS"].total == pytest.approx(100_003 - 0.003)


async def test_tickers_and_candles_arrive(exchange: Exchange, step: Any) -> None:
    """Both are told as ccxt understands them."""
    ticker, candles = Ear(), Ear()
    async with (
        following(exchange.feed.ticker(SYMBOL, ticker)),
        following(exchange.feed.candles(SYMBOL, "1m", candles)),
    ):
        async with asyncio.timeout(10):
            while not (ticker.ticker and candles.candles):
                step(1_000)
                await asyncio.sleep(0.02)
    assert ticker.ticker["symbol"] == SYMBOL
    assert "info" not in ticker.ticker
    assert candles.candles[-1][0] % 60_000 == 0


async def test_a_stream_can_be_followed_again(exchange: Exchange, step: Any) -> None:
    """After a cancellation the next listener begins with the whole book."""
    for _ in range(2):
        ear = Ear()
        async with following(exchange.feed.order_book(SYMBOL, ear)):
            await ear.until(lambda ear=ear: ear.resets == 1)
            await asyncio.sleep(DEPTH_INTERVAL_S)
            step()
            await ear.until(lambda ear=ear: len(ear.events) > 1)


async def test_the_end_of_a_connection_breaks_its_streams(exchange: Exchange, simulator: Server) -> None:
    """When the exchange goes away, whoever follows learns it at once."""
    ear = Ear()
    task = asyncio.create_task(exchange.feed.order_book(SYMBOL, ear))
    await ear.until(lambda: ear.resets)
    await simulator.close()
    with pytest.raises(Retryable):
        async with asyncio.timeout(5):
            await task
