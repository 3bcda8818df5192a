"""Every adapter on every exchange that the simulator speaks as: what each must do, proved the same way."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from libs.exchange.tests.conftest import SimulatedVenue, credentials_at, serve_dialect
from libs.exchange.tests.contracts import (
    AccountFeedContract,
    ExecutionClientContract,
    MarketFeedContract,
    MarketRulesContract,
)

from millrace_core.config.common import Credentials
from millrace_exchange import Exchange, open_exchange
from millrace_exchange.native.exchange import NativeExchange
from millrace_simulator.listings import SYMBOLS, DialectName
from millrace_simulator.server import Server


@pytest.fixture(params=["binance", "kucoin"])
def dialect(request: Any) -> DialectName:
    """Which exchange the simulator speaks as."""
    name: DialectName = request.param
    return name


@pytest.fixture
async def simulator(dialect: DialectName) -> AsyncIterator[Server]:
    """An exchange with the venue's two markets; `market.step` moves it."""
    listed = {symbol.replace("/", "") for symbol in (SimulatedVenue.symbol, SimulatedVenue.own_symbol)}
    symbols = tuple(rules for rules in SYMBOLS[dialect] if rules.base + rules.quote in listed)
    async with await serve_dialect(dialect, symbols=symbols) as server:
        yield server


@pytest.fixture(params=["native", "ccxt"])
def credentials(request: Any, simulator: Server) -> Credentials:
    """How to reach the simulator's account by one adapter."""
    return credentials_at(simulator.url).model_copy(update={"adapter": request.param})


@pytest.fixture
async def exchange(dialect: DialectName, credentials: Credentials) -> AsyncIterator[Exchange]:
    """The simulator's account, its markets loaded."""
    opened = await open_exchange(dialect, credentials)
    assert isinstance(opened, NativeExchange) == (credentials.adapter == "native")
    await opened.prepare()
    yield opened
    await opened.close()


class TestMarketFeed(MarketFeedContract):
    """Public data."""


class TestAccountFeed(AccountFeedContract):
    """The account's own data."""


class TestExecutionClient(ExecutionClientContract):
    """Orders."""


class TestMarketRules(MarketRulesContract):
    """Lots and ticks."""
