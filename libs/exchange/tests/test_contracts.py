"""Every adapter on every exchange that the simulator speaks as: what each must do, proved the same way."""

import asyncio
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
from libs.exchange.tests.contracts.execution_client import bid
from msgspec.structs import replace

from millrace_core.config.common import Credentials
from millrace_exchange import Exchange, Rejected, open_exchange
from millrace_exchange.ccxt import market_listing
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


async def test_a_refusal_because_of_the_terms_has_them_loaded_again(
    exchange: Exchange, venue: SimulatedVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an order that fitted the former tick; the next one is judged by the new tick, and is right."""
    monkeypatch.setattr(market_listing, "LOOK_AGAIN_S", 0.0)
    fitting, order = bid(venue), replace(bid(venue), price=venue.low_price + venue.tick)
    venue.relist(tick_size=venue.tick * 10)
    loaded = asyncio.create_task(exchange.reloaded())
    await asyncio.sleep(0)
    assert exchange.rules.precision_errors(order) == []
    with pytest.raises(Rejected):
        await exchange.execution.create_order(order, "off-the-tick")
    async with asyncio.timeout(60):
        await loaded
    (error,) = exchange.rules.precision_errors(order)
    assert f"the tick of {venue.own_symbol} is {(venue.tick * 10).normalize()}" in error
    assert (await exchange.execution.create_order(fitting, "fit")).orders[0].id
