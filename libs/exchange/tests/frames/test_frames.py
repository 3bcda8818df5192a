"""Every book that is shown as right is the exchange's, level by level, whatever happens to its frames."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from libs.exchange.tests.contracts.venue import RecordingListener, streaming
from libs.exchange.tests.frames.binance import BinanceFutures, BinanceSpot
from libs.exchange.tests.frames.bitfinex import Bitfinex
from libs.exchange.tests.frames.bybit import BybitSpot
from libs.exchange.tests.frames.coinbase import CoinbaseSpot
from libs.exchange.tests.frames.gate import GateSpot
from libs.exchange.tests.frames.htx import HtxSpot
from libs.exchange.tests.frames.kraken import KrakenSpot
from libs.exchange.tests.frames.kucoin import KucoinSpot
from libs.exchange.tests.frames.market import BookState, Market
from libs.exchange.tests.frames.mexc import MexcSpot
from libs.exchange.tests.frames.okx import OkxSpot
from libs.exchange.tests.frames.player import NO_FAULTS, Dialect, Faults, Player, playing

from millrace_core.book import OrderBook
from millrace_core.config.common import Credentials
from millrace_core.market import Level
from millrace_exchange import EventTimes, Exchange, ExchangeError, open_exchange

FRAMES = int(os.environ.get("MILLRACE_TEST_FRAMES", "500"))
"""Of each exchange; a million takes hours."""
DIALECTS: list[type[Dialect]] = [
    BinanceSpot,
    BinanceFutures,
    KucoinSpot,
    BybitSpot,
    OkxSpot,
    KrakenSpot,
    CoinbaseSpot,
    GateSpot,
    Bitfinex,
    MexcSpot,
    HtxSpot,
]
EVERY_DIALECT = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.exchange)


class ComparingReader:
    """Rebuilds the book, and compares it with the exchange's after each message."""

    def __init__(self, player: Player) -> None:
        self.book = OrderBook()
        self.is_live = False
        self.compared = 0
        self.restarts = 0
        self.wrong: list[str] = []
        self.fewest = 1_000
        """Levels of a side that were shown, at least."""
        self._player = player
        self._seen = 0
        """The version that the book last was."""
        self._changed = asyncio.Event()
        self._broken = asyncio.Event()

    def book_reset(self, bids: list[Level], asks: list[Level], nonce: int | None, event: EventTimes) -> None:
        """Take a whole book, which may be older than the last one shown."""
        self.book.replace(bids, asks, nonce)
        self.is_live, self._seen = True, 0
        self._compare("reset")

    def book_changed(self, bids: list[Level], asks: list[Level], nonce: int | None, event: EventTimes) -> None:
        """Take changed levels, if there is a book to change."""
        if self.is_live:
            self.book.apply(bids, asks, nonce)
            self._compare("changed")

    def book_broken(self, reason: str) -> None:
        """Show the book as right no more."""
        self.is_live = False
        self._broken.set()

    async def restart(self) -> None:
        """Stop following the book and follow it again."""
        before = self.restarts
        self._broken.set()
        async with asyncio.timeout(60):
            while self.restarts == before:
                self._changed.clear()
                await self._changed.wait()

    async def follow(self, exchange: Exchange, limit: int | None) -> None:
        """Follow the book, again after each failure, until cancelled."""
        while True:
            self._broken.clear()
            stream = exchange.market.order_book(self._player.dialect.symbol, self, limit)
            following = asyncio.create_task(stream)
            broken = asyncio.create_task(self._broken.wait())
            try:
                await asyncio.wait({following, broken}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self.is_live = False
                for task in (following, broken):
                    task.cancel()
                await asyncio.wait({following, broken})
            if not following.cancelled() and not isinstance(error := following.exception(), ExchangeError):
                raise error or AssertionError("a stream never returns")
            self.restarts += 1
            self._changed.set()

    async def reached(self) -> None:
        """Wait until the book is the exchange's own, of now."""
        async with asyncio.timeout(60):
            while not (self.is_live and self._is(self._player.market.state)):
                self._changed.clear()
                await self._changed.wait()

    def _compare(self, how: str) -> None:
        self.compared += 1
        self.fewest = min(self.fewest, len(self.book.bids.levels()), len(self.book.asks.levels()))
        if (version := self._version()) is None:
            self.wrong.append(f"{how} after {self._seen}: {self._difference()}")
        else:
            self._seen = version
        self._changed.set()

    def _version(self) -> int | None:
        """Return the version of the exchange's book that this one is, the oldest that it may be; None if it is none."""
        states = self._player.market.states
        places: Iterable[int] = range(max(0, self._seen - states[0].version), len(states))
        if not self._player.dialect.is_numbered:
            places = reversed(range(len(states)))
        return next((states[place].version for place in places if self._is(states[place])), None)

    def _is(self, state: BookState) -> bool:
        bids, asks = tuple(self.book.bids.levels()), tuple(self.book.asks.levels())
        best = state.best(self._player.dialect.depth)
        if self._player.dialect.depth is not None:
            return (bids, asks) == (best.bids, best.asks)
        # What a partial snapshot does not cover is not shown: what is shown is all there is down to its last level.
        return bool(bids and asks) and bids == best.bids[: len(bids)] and asks == best.asks[: len(asks)]

    def _difference(self) -> str:
        state = self._player.market.state.best(self._player.dialect.depth)
        bids, asks = set(self.book.bids.levels()) ^ set(state.bids), set(self.book.asks.levels()) ^ set(state.asks)
        return f"{len(bids)} bids, {len(asks)} asks differ from {state.version}; nonce {self.book.nonce}"


async def opened(player: Player) -> Exchange:
    """Open the player's exchange, whose markets are given instead of loaded: its own, and another."""
    dialect = player.dialect
    credentials = Credentials(urls={"base": player.url}, options=dialect.options, adapter="ccxt")
    exchange: Any = await open_exchange(dialect.exchange, credentials)
    ccxt = exchange.caller.ccxt
    ccxt.open()
    # As many snapshots are asked for in seconds as otherwise in hours.
    ccxt.enableRateLimit = False
    other = {"id": "ETH-USDT", "symbol": "ETH/USDT", "base": "ETH", "baseId": "ETH"}
    ccxt.set_markets([ccxt.safe_market_structure(_market(dialect) | more) for more in ({}, other)])
    return exchange  # type: ignore[no-any-return]


@asynccontextmanager
async def reading(player: Player, limit: int | None = None) -> AsyncIterator[ComparingReader]:
    """Follow the player's book through ccxt."""
    exchange = await opened(player)
    reader = ComparingReader(player)
    following = asyncio.create_task(reader.follow(exchange, limit))
    try:
        yield reader
    finally:
        following.cancel()
        await asyncio.wait({following})
        await exchange.close()
    assert following.cancelled(), following.exception()


def _market(dialect: Dialect) -> dict[str, Any]:
    kind = dialect.market.get("type", "spot")
    return {
        "id": dialect.market_id,
        "lowercaseId": dialect.market_id.lower(),
        "symbol": dialect.symbol,
        "base": "BTC",
        "quote": "USDT",
        "baseId": "BTC",
        "quoteId": "USDT",
        "type": kind,
        "spot": kind == "spot",
        "contract": kind != "spot",
        "active": True,
        "precision": {"price": 0.1, "amount": 0.001},
        "info": {},
        **dialect.market,
    }


async def play(player: Player, reader: ComparingReader, faults: Faults, frames: int) -> None:
    """Move the market for some frames, as fast as the reader follows, then let it catch up."""
    player.faults = faults
    end = player.frames + frames
    while player.frames < end:
        await player.move()
        # While a book is taken again the market waits: else there would be little to compare.
        await asyncio.sleep(0 if reader.is_live else 0.002)
    player.faults = NO_FAULTS
    caught_up = asyncio.create_task(reader.reached())
    while not caught_up.done():
        await player.move()
        await asyncio.wait({caught_up}, timeout=0.02)
    caught_up.result()


@EVERY_DIALECT
async def test_no_wrong_book_is_shown_whatever_happens_to_frames(dialect: type[Dialect]) -> None:
    """Of all books shown between the faults none is wrong, and after them the book is the exchange's."""
    async with playing(dialect(), Market(seed=7)) as player, reading(player) as reader:
        await play(player, reader, NO_FAULTS, 10)
        await play(player, reader, Faults(), FRAMES)
        while reader.compared <= FRAMES // 5:
            # On a busy machine more of them pass while a book is taken again.
            await play(player, reader, Faults(), FRAMES // 5)
    assert player.injected > 3
    assert reader.wrong == []


@EVERY_DIALECT
async def test_a_book_that_is_followed_again_is_whole_again(dialect: type[Dialect]) -> None:
    """Without a fault of the connection too: over the same one, or over another where no subscription can be ended."""
    async with playing(dialect(), Market(seed=7)) as player, reading(player) as reader:
        for _ in range(3):
            await play(player, reader, NO_FAULTS, 20)
            await reader.restart()
        await play(player, reader, NO_FAULTS, 20)
        assert len([known for known in player.connections if known.topics]) == 1
    assert (reader.wrong, reader.restarts) == ([], 3)


@pytest.mark.parametrize("dialect", [BinanceSpot, BinanceFutures])
async def test_an_error_that_answers_nothing_ends_the_connection(dialect: type[Dialect]) -> None:
    """All streams end in ccxt, which keeps their subscriptions: no book would begin again over the same connection."""
    async with playing(dialect(), Market(seed=7)) as player, reading(player) as reader:
        await play(player, reader, NO_FAULTS, 20)
        [connection] = [known for known in player.connections if known.topics]
        await connection.send({"id": None, "status": 500})
        await play(player, reader, NO_FAULTS, 20)
        assert connection not in player.connections
    assert (reader.wrong, reader.restarts) == ([], 1)


async def test_a_gap_in_one_book_breaks_no_other() -> None:
    """Coinbase numbers the frames of a connection together: each book has one of its own."""
    one, other = RecordingListener(), RecordingListener()
    async with playing(CoinbaseSpot(), Market(seed=7)) as player:
        exchange = await opened(player)
        async with (
            streaming(exchange.market.order_book("BTC/USDT", one)),
            streaming(exchange.market.order_book("ETH/USDT", other)),
        ):
            await one.until(lambda: one.resets)
            await other.until(lambda: other.resets)
            [connection] = [known for known in player.connections if known.topics["level2"] == "BTC-USDT"]
            connection.sent += 1
            await player.move()
            await one.until(lambda: one.breaks)
            received = len(other.events)
            await player.move()
            await other.until(lambda: len(other.events) > received)
        await exchange.close()
    assert (len(one.breaks), other.breaks, other.resets) == (1, [], 1)


@pytest.mark.parametrize("trend", [0.0, 1.0], ids=["falls", "rises"])
async def test_a_book_reaches_further_before_the_price_leaves_its_snapshot(trend: float) -> None:
    """The stream has the whole book, the snapshot 100 levels: after 200 ticks neither side has run out."""
    async with playing(KucoinSpot(), Market(seed=7, levels=160, trend=trend)) as player, reading(player) as reader:
        await play(player, reader, NO_FAULTS, 900)
        far = abs(player.market.state.bids[0][0] - 1_000)
    assert far > 20
    assert reader.wrong == []
    assert (reader.restarts, reader.fewest > 20) == (0, True)


async def test_a_price_that_leaves_the_snapshot_at_once_makes_the_book_stale() -> None:
    """If the known part of a side ends before it could be extended, the book is taken again, and never shown empty."""
    async with playing(KucoinSpot(), Market(seed=7, levels=160, trend=1.0)) as player, reading(player) as reader:
        await play(player, reader, NO_FAULTS, 10)
        for _ in range(900):
            await player.move()
        await play(player, reader, NO_FAULTS, 10)
    assert reader.wrong == []
    assert (reader.restarts > 0, reader.fewest > 0) == (True, True)


async def test_a_book_of_few_levels_is_not_left_by_the_price() -> None:
    """Five levels are asked for, and the stream has all: what lies beyond is fetched before it is needed."""
    async with playing(BinanceSpot(), Market(seed=7, trend=1.0)) as player, reading(player, 5) as reader:
        await play(player, reader, NO_FAULTS, 300)
    assert reader.wrong == []
    assert (reader.restarts, reader.fewest > 0) == (0, True)
