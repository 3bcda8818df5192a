"""How many trades are asked for: few where few can be missing, since each costs as much as several streamed ones."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from millrace_bus import Bus
from millrace_core.clock import now_ns
from millrace_core.config.common import Credentials
from millrace_core.market import Trade
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_exchange import EventTimes, Exchange
from millrace_exchange.order_ids import IdScopes
from millrace_exchange.profile import ExchangeProfile, History
from millrace_gatherer.streams import run_stream, stream_of
from millrace_gatherer.streams.trades import FEW
from millrace_gatherer.units import StreamUnitConfig
from millrace_service import UnitHealthReporter
from millrace_service.health import ErrorLog

SYMBOL = Symbol("A/B")
EXCHANGE = ExchangeId("x")
BEFORE = 500
"""Trades that were made before the stream is followed."""


def trades(first: int, last: int) -> list[Trade]:
    """Return consecutive trades."""
    return [Trade(str(number), number, SYMBOL, "buy", 1.0, 1.0) for number in range(first, last + 1)]


class Market:
    """A market that numbers its trades, sends what a test wants, and notes how many are asked for."""

    def __init__(self) -> None:
        self.market = self
        self.profile = ExchangeProfile(exchange=EXCHANGE, ids=IdScopes(numbers_public_trades=True))
        self.made = trades(1, BEFORE)
        self.limits: list[int | None] = []
        self.listener: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked = asyncio.Condition()

    def poll_interval_s(self, *_: Any) -> None:
        """Return nothing: it streams."""

    async def trades(self, symbol: str, listener: Any) -> None:
        """Stream trades."""
        self.listener.set_result(listener)
        await asyncio.Event().wait()

    async def fetch_trades(self, symbol: str, after: Trade | None = None, limit: int | None = None) -> list[Trade]:
        """Return the newest."""
        async with self._asked:
            self.limits.append(limit)
            self._asked.notify_all()
        return self.made[-(limit or 1_000) :]

    async def make(self, last: int) -> None:
        """Make trades up to a number, of which the stream brings only the last."""
        self.made += trades(len(self.made) + 1, last)
        (await self.listener).traded(self.made[-1:], EventTimes(None, now_ns()))

    async def asked(self, times: int) -> None:
        """Wait until so many questions were asked."""
        async with asyncio.timeout(10), self._asked:
            await self._asked.wait_for(lambda: len(self.limits) >= times)


@pytest.fixture
async def market() -> Market:
    """The market."""
    return Market()


@pytest.fixture
async def stream(bus: Bus, market: Market) -> AsyncIterator[Any]:
    """Its stream of trades."""
    name = StreamName(Tenant("T"), EXCHANGE, Action("watchTrades"), SYMBOL)
    unit = StreamUnitConfig(name, Credentials(), 1_000, snapshot_interval_s=60.0, checksum_every=1)
    health = UnitHealthReporter("unit", changed=lambda: None, errors=ErrorLog())
    stream = stream_of(unit, cast(Exchange, market), bus, health)
    running = asyncio.create_task(run_stream(stream))
    await stream.known.wait()
    yield stream
    running.cancel()
    await asyncio.wait({running})


async def test_questions_whether_the_newest_trade_is_known_ask_for_few(stream: Any, market: Market) -> None:
    """Those at the first message, and soon after the stream was followed."""
    await market.make(BEFORE + 1)
    await market.asked(1)
    await market.make(BEFORE + 2)
    await market.asked(2)
    assert market.limits == [None, FEW]


async def test_a_gap_that_few_do_not_fill_is_filled_by_as_many_as_there_are(stream: Any, market: Market) -> None:
    """Each trade is published once, in order."""
    await market.make(BEFORE + 1)
    await market.asked(1)
    await market.make(BEFORE + 3 * FEW)
    await market.asked(2)
    async with asyncio.timeout(10):
        while stream.take_snapshot("").trades[-1].id != str(BEFORE + 3 * FEW):
            await asyncio.sleep(0)
    assert [trade.id for trade in stream.take_snapshot("").trades] == [trade.id for trade in market.made]
    assert market.limits == [None, None]


async def test_few_that_do_not_reach_back_are_followed_by_as_many_as_there_are(stream: Any, market: Market) -> None:
    """What the stream lost at its end shows in the answer alone."""
    await market.make(BEFORE + 1)
    await market.asked(1)
    market.made += trades(BEFORE + 2, BEFORE + 3 * FEW)
    await market.asked(3)
    async with asyncio.timeout(10):
        while stream.take_snapshot("").trades[-1].id != str(BEFORE + 3 * FEW):
            await asyncio.sleep(0)
    assert market.limits == [None, FEW, None]


async def test_what_nobody_answers_is_not_asked_for(bus: Bus, market: Market) -> None:
    """The stream's own first messages tell whether trades were lost; that none was, nothing proves."""
    market.profile = ExchangeProfile(exchange=EXCHANGE, history=History(answers_public_trades=False))
    name = StreamName(Tenant("T"), EXCHANGE, Action("watchTrades"), SYMBOL)
    unit = StreamUnitConfig(name, Credentials(), 1_000, snapshot_interval_s=60.0, checksum_every=1)
    health = UnitHealthReporter("unit", changed=lambda: None, errors=ErrorLog())
    stream = stream_of(unit, cast(Exchange, market), bus, health)
    running = asyncio.create_task(run_stream(stream))
    # The second begins with what the first ended with, the third does not.
    lost = []
    for first, last in ((1, 5), (5, 8), (20_000, 20_001)):
        listener = await market.listener
        market.listener = asyncio.get_running_loop().create_future()
        listener.traded(trades(first, last), EventTimes(None, now_ns()))
        async with asyncio.timeout(10):
            while stream.take_snapshot("").trades[-1:] != trades(last, last):
                await asyncio.sleep(0.01)
        lost.append(health.report().counters.get("lost", 0))
        stream.fail("another connection")
    running.cancel()
    await asyncio.wait({running})
    assert [trade.id for trade in stream.take_snapshot("").trades] == [*map(str, range(1, 9)), "20000", "20001"]
    assert (lost, market.limits) == ([0, 0, 1], [])
