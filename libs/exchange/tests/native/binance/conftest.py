"""Binance's native feed on a busy simulator, and between them a line that can be disturbed."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from millrace_exchange.native.binance.dialect import RULES, BinanceDialect
from millrace_exchange.native.binance.feed import BinanceMarketFeed
from tests.support.line import Line, line_to

from millrace_core.config.common import Credentials
from millrace_exchange.ccxt.exchange import open_ccxt_exchange
from millrace_exchange.native.dialect import ConnectionRules
from millrace_simulator.config import Limits, SimulatorConfig
from millrace_simulator.server import Server, serve

OpenFeed = Callable[..., Any]


@pytest.fixture
async def busy() -> AsyncIterator[Server]:
    """An exchange whose market moves by itself."""
    config = SimulatorConfig(events_per_second=2_000, depth_interval_ms=10, record=True, limits=Limits(enforce=False))
    async with await serve(config) as server:
        yield server


@pytest.fixture
async def line(busy: Server) -> AsyncIterator[Line]:
    """The line to the busy exchange."""
    async with line_to(busy.url) as line:
        yield line


@pytest.fixture
async def open_feed(line: Line) -> AsyncIterator[OpenFeed]:
    """A function that opens a feed over the line, by the exchange's rules or others.

    Its requests are not paced: a book that breaks every second would use up what an exchange allows in a minute.
    """
    opened: list[Any] = []

    async def open_feed(rules: ConnectionRules = RULES) -> BinanceMarketFeed:
        ccxt = await open_ccxt_exchange("binance", Credentials(urls={"base": line.url}))
        ccxt.caller.ccxt.enableRateLimit = False
        feed = BinanceMarketFeed(ccxt.caller, ccxt.listing, ccxt.market, BinanceDialect(rules))
        opened.extend((feed, ccxt))
        return feed

    yield open_feed
    for each in opened:
        await each.close()


@pytest.fixture
async def feed(open_feed: OpenFeed) -> BinanceMarketFeed:
    """A feed over the line."""
    feed: BinanceMarketFeed = await open_feed()
    return feed
