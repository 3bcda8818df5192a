"""What an exchange sends late, or numbers anew, through ccxt: nothing wrong is said, and nothing stands still."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from libs.exchange.tests.conftest import credentials_at
from libs.exchange.tests.contracts import RecordingListener, streaming
from msgspec.structs import replace
from tests.support.line import Line, line_to

from millrace_exchange import Exchange, open_exchange
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
