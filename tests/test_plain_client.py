"""A client without millrace's code receives everything that the exchange sent.

`MILLRACE_TEST_MESSAGES=60000` compares over that many; what a busy minute brings is 30,000.
"""

import asyncio
import json
import logging
import os
import time
from pathlib import Path
from typing import Any

import pytest
from tests.support.plain_client import PlainBook, follow
from tests.support.platform import Platform, running, until

log = logging.getLogger(__name__)

SYMBOLS = ["BTC/USDT", "ETH/USDT", "ETH/BTC", "KCS/USDT"]
MESSAGES = int(os.environ.get("MILLRACE_TEST_MESSAGES", "8000"))
COMPARED = MESSAGES // 150
"""Books that have to be compared: of most that the exchange is asked for, the rebuilt ones have the same number."""
BUSY = {"eventsPerSecond": 3000, "depthIntervalMs": 10, "record": True, "limits": {"enforce": False}}


def only_public_feeds(_kind: str, config: dict[str, Any]) -> None:
    """Books and trades of four symbols, in journals long enough for the whole test."""
    config["exchanges"].pop("StrankaXY")
    plan = config["workplans"][0] | {"assetPairs": SYMBOLS, "retention": 100_000}
    config["workplans"] = [plan]


class Comparison:
    """Books of the exchange, asked by REST, held against the rebuilt ones at the same update id."""

    def __init__(self, platform: Platform, books: list[PlainBook]) -> None:
        self._platform = platform
        self._books = books
        self.equal = 0
        self.different: list[str] = []

    async def run(self) -> None:
        """Compare symbol after symbol until cancelled."""
        while True:
            for book in self._books:
                await self._compare(book)

    async def _compare(self, book: PlainBook) -> None:
        # Right after a delta the exchange's book is most likely still that of the delta.
        await book.advanced.wait()
        theirs = await self._platform.get("/api/v3/depth", symbol=market(book.name), limit=5000)
        while book.nonce < theirs["lastUpdateId"]:
            await book.advanced.wait()
        ours = book.states.get(theirs["lastUpdateId"])
        if ours is None:
            return  # the exchange answered between two deltas: there is nothing to hold it against
        sides = tuple({float(p): float(q) for p, q in theirs[side]} for side in ("bids", "asks"))
        if ours == sides:
            self.equal += 1
        else:
            levels = [sorted(set(one.items()) ^ set(other.items()))[:4] for one, other in zip(ours, sides, strict=True)]
            self.different.append(f"{book.name} at {theirs['lastUpdateId']}: {levels}")


def market(name: str) -> str:
    """Return the exchange's own spelling of a stream's symbol."""
    return name.rsplit(".", 1)[1].replace("/", "")


@pytest.mark.system
@pytest.mark.timeout(400)
async def test_a_plain_client_rebuilds_every_book_and_gets_every_trade_once(tmp_path: Path) -> None:
    """Over thousands of messages no book differs, and no trade is missing or doubled."""
    async with running(tmp_path, ("gatherer",), simulator=BUSY, change=only_public_feeds) as platform:
        books = [PlainBook(f"stream.PUBLIC.binance.watchOrderBook.{symbol}") for symbol in SYMBOLS]
        trades = [f"stream.PUBLIC.binance.watchTrades.{symbol}" for symbol in SYMBOLS]
        for name in [book.name for book in books] + trades:
            await until(lambda name=name: platform.redis.exists(name), f"{name} exists", platform=platform)
        ready = asyncio.Event()
        comparison = Comparison(platform, books)
        following = asyncio.create_task(follow(platform.server.url, books, ready))
        comparing = asyncio.create_task(comparison.run())
        await ready.wait()
        before, started = await entries(platform, trades), time.monotonic()
        messages = 0
        # A machine that is slow for a while takes longer, and is held to the same numbers.
        while messages < MESSAGES or comparison.equal < COMPARED:
            await asyncio.wait([following, comparing], timeout=0.2, return_when=asyncio.FIRST_COMPLETED)
            assert not following.done(), following.exception()
            assert not comparing.done(), comparing.exception()
            messages = sum(book.messages for book in books) + await entries(platform, trades) - before
        seconds = time.monotonic() - started
        for task in (following, comparing):
            task.cancel()
        await asyncio.wait([following, comparing])
        log.info(
            "%d equal, %d different, %.0f messages/s", comparison.equal, len(comparison.different), messages / seconds
        )
        assert comparison.different == []
        for name in trades:
            await assert_every_trade_once(platform, name)


async def entries(platform: Platform, names: list[str]) -> int:
    """Count the messages in some journals."""
    return sum([await platform.redis.xlen(name) for name in names])


async def assert_every_trade_once(platform: Platform, name: str) -> None:
    """Hold all trades of a journal against the exchange's own list."""
    journal = [json.loads(fields["data"]) for _, fields in await platform.redis.xrange(name)]
    ours = [trade for message in journal if message["type"] == "delta" for trade in message["data"]["trades"]]
    ids = [int(trade["id"]) for trade in ours]
    theirs = await platform.get("/simulator/trades", symbol=market(name), fromId=ids[0])
    theirs = [trade for trade in theirs if trade["id"] <= ids[-1]]
    assert len(ids) > 100, f"{name} was too quiet to show anything"
    assert ids == [trade["id"] for trade in theirs]
    assert [(t["price"], t["amount"]) for t in ours] == [(float(t["price"]), float(t["qty"])) for t in theirs]
