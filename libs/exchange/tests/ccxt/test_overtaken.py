"""What an exchange sends late, or numbers anew, through ccxt: nothing wrong is said, and nothing stands still."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest
from libs.exchange.tests.conftest import credentials_at
from libs.exchange.tests.contracts import RecordingListener, streaming
from msgspec.structs import replace
from tests.support.line import Line, line_to

from millrace_core.actions import BIDS_ASKS
from millrace_core.requests import CreatePayload
from millrace_exchange import EventTimes, Exchange, open_exchange
from millrace_simulator.config import Limits, default_config
from millrace_simulator.listings import DialectName
from millrace_simulator.server import serve

SYMBOL = "KCS/USDT"


@pytest.fixture(params=["binance", "kucoin"])
def dialect(request: Any) -> DialectName:
    """Which exchange the simulator speaks as."""
    name: DialectName = request.param
    return name


@pytest.fixture
async def line(dialect: DialectName) -> AsyncIterator[Line]:
    """The line to a busy exchange."""
    config = replace(
        default_config(dialect), events_per_second=1_000, depth_interval_ms=10, limits=Limits(enforce=False)
    )
    async with await serve(config) as server, line_to(server.url) as line:
        yield line


@pytest.fixture
async def exchange(line: Line, dialect: DialectName) -> AsyncIterator[Exchange]:
    """The account through ccxt alone, over the line."""
    exchange = await open_exchange(dialect, credentials_at(line.url).model_copy(update={"adapter": "ccxt"}))
    await exchange.prepare()
    yield exchange
    await exchange.close()


def numbered_anew() -> Callable[[str], str]:
    """Return what numbers the updates of a book from 1 on."""
    number = 0

    def treat(frame: str) -> str:
        nonlocal number
        if "depthUpdate" not in frame and "/market/level2:" not in frame:
            return frame
        number += 1
        return re.sub(r'"(U|u|sequenceStart|sequenceEnd)":\d+', rf'"\1":{number}', frame)

    return treat


async def test_a_book_that_is_numbered_anew_begins_again(exchange: Exchange, line: Line) -> None:
    """Each update would be taken for one that came late, and the book would stand still."""
    book, again = RecordingListener(), RecordingListener()
    following = asyncio.create_task(exchange.market.order_book(SYMBOL, book))
    await book.until(lambda: len(book.events) > 3)
    line.treat = numbered_anew()
    await book.until(lambda: book.breaks)
    following.cancel()
    await asyncio.wait({following})
    line.treat = lambda frame: frame
    async with streaming(exchange.market.order_book(SYMBOL, again)):
        await again.until(lambda: len(again.events) > 3)
    assert again.breaks == []


async def test_a_balance_that_comes_late_changes_nothing(exchange: Exchange, line: Line) -> None:
    """The newer one came before it. ccxt would repeat what it says with each event of another currency."""
    balances, former = RecordingListener(), [""]

    def late(frame: str) -> list[str]:
        if not any(mark in frame for mark in ("outboundAccountPosition", "account.balance")) or '"USDT"' not in frame:
            return [frame]
        before, former[0] = former[0], frame
        return [frame, before] if before else [frame]

    async def order(symbol: str, name: str, **terms: Any) -> None:
        await exchange.execution.create_order(CreatePayload(symbol=symbol, amount_base=Decimal(1), **terms), name)
        await asyncio.sleep(0.02)  # so that no two events have one time, ms

    async with streaming(exchange.account.balance(balances)):
        for number in range(50):
            await order(SYMBOL, f"begun-{number}", side="buy", type="limit", price=Decimal(5))
            if balances.balances:
                break
            await asyncio.sleep(0.1)  # nothing else shows that the subscription stands
        line.treat = late
        for number in range(3):
            await order(SYMBOL, f"late-{number}", side="buy", type="limit", price=Decimal(5))
        await order("ETH/BTC", "other", side="sell", type="market")
        await balances.until(lambda: "ETH" in balances.balances)
        assert balances.balances["USDT"] == (await exchange.account.fetch_balance())["USDT"]


class Bids(RecordingListener):
    """Keeps every best bid."""

    def __init__(self) -> None:
        super().__init__()
        self.bids: list[float] = []

    def fields_changed(self, ticker: dict[str, Any], event: EventTimes) -> None:
        """Take the best prices."""
        self.bids.append(ticker["bid"])
        super().fields_changed(ticker, event)


async def test_best_prices_that_come_late_change_nothing(exchange: Exchange, line: Line) -> None:
    """The newer ones came before, and nothing may come after them for long."""
    prices, frames = Bids(), list[str]()

    def late(frame: str) -> str:
        if '"subject":"level1"' not in frame and '{"u":' not in frame:
            return frame
        frames.append(frame)
        if len(frames) < 6 or len(frames) % 2:
            return frame
        return re.sub(r'"(b|bids)":(\[?)"[0-9.]+"', r'"\1":\2"0.125"', frames[0])

    line.treat = late
    async with streaming(exchange.market.fields(BIDS_ASKS, SYMBOL, prices)):
        await prices.until(lambda: len(frames) > 20 and len(prices.bids) > 10)
    assert 0.125 not in prices.bids
