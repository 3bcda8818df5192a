"""Many frames with seeded faults: no wrong book, whatever happens.

`MILLRACE_TEST_FRAMES=1000000` makes it long.
"""

import asyncio
import os
from random import Random

import pytest
from libs.exchange.tests.conftest import is_known_part
from libs.exchange.tests.contracts import RecordingListener
from libs.exchange.tests.native.conftest import OpenFeed
from libs.exchange.tests.native.wording import Wording
from tests.support.line import Line

from millrace_core.market import Level
from millrace_exchange import EventTimes, Retryable
from millrace_exchange.native.market_feed import NativeMarketFeed
from millrace_simulator.server import Server

FRAMES = int(os.environ.get("MILLRACE_TEST_FRAMES", "2000"))
SYMBOLS = ["ETH/BTC", "BTC/USDT", "ETH/USDT", "SOL/USDT"]
QUICK = {"request_interval_s": 0.02, "connect_interval_s": 0.05, "lifetime_s": 1.5}


class Faults:
    """What happens to the frames and answers of a line."""

    def __init__(self, line: Line, wording: Wording, seed: int) -> None:
        self.frames = 0
        self._wording = wording
        self._line = line
        self._random = Random(seed)
        self._kept: list[str] = []
        self._answers: dict[str, bytes] = {}
        self._cutting: set[asyncio.Task[None]] = set()
        line.treat, line.replace = self._treat, self._stale

    def _treat(self, frame: str) -> list[str]:
        if not (self._wording.is_of(frame, "book") or self._wording.is_of(frame, "trade")):
            return [frame]
        self.frames += 1
        chance = self._random.random()
        if chance < 0.001:
            self._cut()
        if chance < 0.03:
            return []
        if chance < 0.06:
            return [frame, frame]
        if chance < 0.09:
            self._kept.append(frame)
            return []
        late, self._kept = self._kept, []
        return [frame, *late]

    def _stale(self, path: str, body: bytes) -> bytes:
        """Answer a request for a book as it was answered before, now and then."""
        if "/depth" not in path and "/orderbook" not in path:
            return body
        old, self._answers[path] = self._answers.get(path, body), body
        return old if self._random.random() < 0.2 else body

    def _cut(self) -> None:
        cutting = asyncio.create_task(self._line.cut())
        self._cutting.add(cutting)
        cutting.add_done_callback(self._cutting.discard)


class ComparedBook(RecordingListener):
    """Compares the book with the exchange's own of the same number, as long as it is not reported broken."""

    def __init__(self, server: Server, market: str) -> None:
        super().__init__()
        self.wrong: list[int | None] = []
        self.compared = 0
        self._venue, self._market = server.venue, market

    def book_reset(self, bids: list[Level], asks: list[Level], nonce: int | None, event: EventTimes) -> None:
        """Take a whole book."""
        super().book_reset(bids, asks, nonce, event)
        self._compare()

    def book_changed(self, bids: list[Level], asks: list[Level], nonce: int | None, event: EventTimes) -> None:
        """Take changed levels; compare some of the books."""
        super().book_changed(bids, asks, nonce, event)
        if len(self.events) % 10 == 0:
            self._compare()

    def _compare(self) -> None:
        assert self._venue.history is not None
        book, nonce = self._venue.history.book_as_of(self._market, self.book.nonce or 0), self.book.nonce
        scale = self._venue.instruments[self._market].scale
        own = tuple(
            [(float(scale.price_text(price)), float(scale.quantity_text(lots))) for price, lots in side]
            for side in (book.bids, book.asks)
        )
        self.compared += 1
        if not all(map(is_known_part, (self.book.bids.levels(), self.book.asks.levels()), own)):
            self.wrong.append(nonce)


async def _follow(feed: NativeMarketFeed, symbol: str, listener: ComparedBook) -> None:
    """Stream a book for ever, from the beginning after every failure."""
    while True:
        try:
            await feed.order_book(symbol, listener)
        except Retryable:
            await asyncio.sleep(0.01)


async def _follow_trades(feed: NativeMarketFeed, symbol: str, listener: RecordingListener) -> None:
    while True:
        try:
            await feed.trades(symbol, listener)
        except Retryable:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(("dialect", "has_keys"), [("binance", False), ("kucoin", True), ("kucoin", False)])
async def test_no_book_is_wrong(
    open_feed: OpenFeed, line: Line, busy: Server, wording: Wording, has_keys: bool
) -> None:
    """Frames are lost, doubled, swapped; snapshots are stale; sockets are cut and replaced by age."""
    feed = await open_feed(has_keys=has_keys, **QUICK)
    faults = Faults(line, wording, seed=11)
    books = {symbol: ComparedBook(busy, wording.market(symbol)) for symbol in SYMBOLS}
    tasks = [asyncio.create_task(_follow(feed, *each)) for each in books.items()]
    tasks += [asyncio.create_task(_follow_trades(feed, symbol, RecordingListener())) for symbol in SYMBOLS]
    # A busy machine needs more frames until books were whole often enough to be compared, and to break again.
    while (
        faults.frames < FRAMES
        or any(book.compared <= FRAMES // 400 for book in books.values())
        or sum(len(book.breaks) for book in books.values()) <= FRAMES // 200
    ):
        await asyncio.sleep(0.05)
        assert not any(task.done() for task in tasks)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert [book.wrong for book in books.values()] == [[]] * len(SYMBOLS)
    assert line.sockets > 2
