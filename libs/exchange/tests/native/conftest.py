"""A native feed on a busy simulator, and between them a line that can be disturbed."""

import dataclasses
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
from libs.exchange.tests.conftest import credentials_at
from libs.exchange.tests.native.wording import WORDINGS, Wording
from msgspec.structs import replace
from tests.support.line import Line, line_to

from millrace_core.config.common import Credentials
from millrace_exchange.ccxt.exchange import open_ccxt_exchange
from millrace_exchange.native.account_feed import NativeAccountFeed
from millrace_exchange.native.binance.account import BinanceAccount
from millrace_exchange.native.binance.market import BinanceMarket
from millrace_exchange.native.kucoin.account import KucoinAccount
from millrace_exchange.native.kucoin.market import KucoinMarket
from millrace_exchange.native.market_feed import NativeMarketFeed
from millrace_simulator.config import Limits, default_config
from millrace_simulator.listings import DialectName
from millrace_simulator.server import Server, serve

OpenFeed = Callable[..., Any]
MARKETS: dict[DialectName, Any] = {"binance": BinanceMarket, "kucoin": KucoinMarket}
ACCOUNTS: dict[DialectName, Any] = {"binance": BinanceAccount, "kucoin": KucoinAccount}


@pytest.fixture(params=["binance", "kucoin"])
def dialect(request: Any) -> DialectName:
    """Which exchange the simulator speaks as."""
    name: DialectName = request.param
    return name


@pytest.fixture
def wording(dialect: DialectName) -> Wording:
    """How it writes its frames."""
    return WORDINGS[dialect]


@pytest.fixture
async def busy(dialect: DialectName) -> AsyncIterator[Server]:
    """An exchange whose market moves by itself."""
    config = replace(
        default_config(dialect),
        events_per_second=2_000,
        depth_interval_ms=10,
        record=True,
        limits=Limits(enforce=False),
    )
    async with await serve(config) as server:
        yield server


@pytest.fixture
async def line(busy: Server) -> AsyncIterator[Line]:
    """The line to the busy exchange."""
    async with line_to(busy.url) as line:
        yield line


@pytest.fixture
async def open_feed(line: Line, dialect: DialectName) -> AsyncIterator[OpenFeed]:
    """A function that opens a feed over the line, by the exchange's rules but for those named.

    Its requests are not paced: a book that breaks every second would use up what an exchange allows in a minute.
    """
    opened: list[Any] = []

    async def open_feed(*, has_keys: bool = True, **rules: Any) -> NativeMarketFeed:
        credentials = credentials_at(line.url) if has_keys else Credentials(urls={"base": line.url})
        ccxt = await open_ccxt_exchange(dialect, credentials)
        ccxt.caller.ccxt.enableRateLimit = False
        ours = MARKETS[dialect](ccxt.caller)
        ours.rules = dataclasses.replace(ours.rules, **rules)
        feed = NativeMarketFeed(ccxt.caller, ccxt.listing, ccxt.sessions, ours)
        opened.extend((feed, ccxt))
        return feed

    yield open_feed
    for each in opened:
        await each.close()


@pytest.fixture
async def feed(open_feed: OpenFeed) -> NativeMarketFeed:
    """A feed over the line."""
    feed: NativeMarketFeed = await open_feed()
    return feed


@pytest.fixture
async def open_account(line: Line, dialect: DialectName) -> AsyncIterator[OpenFeed]:
    """A function that opens the streams of the account over the line, by the exchange's rules but for those named."""
    opened: list[Any] = []

    async def open_account(*, keys: Mapping[str, str] = {}, **rules: Any) -> NativeAccountFeed:
        credentials = credentials_at(line.url).model_copy(update=dict(keys))
        ccxt = await open_ccxt_exchange(dialect, credentials)
        ours = ACCOUNTS[dialect](ccxt.caller)
        ours.rules = dataclasses.replace(ours.rules, **rules)
        feed = NativeAccountFeed(ccxt.caller, ccxt.listing, ccxt.sessions, ours)
        opened.extend((feed, ccxt))
        return feed

    yield open_account
    for each in opened:
        await each.close()
