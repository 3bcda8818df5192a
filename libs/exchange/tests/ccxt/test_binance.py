"""The ccxt adapter on Binance spot, as the simulator speaks it."""

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from libs.exchange.tests.contracts import (
    AccountFeedContract,
    ExecutionClientContract,
    MarketFeedContract,
    MarketRulesContract,
)

from millrace_core.config.common import Credentials
from millrace_core.requests import CreatePayload
from millrace_exchange import Exchange, Fatal, open_exchange
from millrace_simulator.server import Server

BID = CreatePayload(symbol="KCS/USDT", side="buy", type="limit", amount_base=Decimal(1), price=Decimal(5))


class TestMarketFeed(MarketFeedContract):
    """Public data."""


class TestAccountFeed(AccountFeedContract):
    """The account's own data."""


class TestExecutionClient(ExecutionClientContract):
    """Orders."""


class TestMarketRules(MarketRulesContract):
    """Lots and ticks."""


async def test_a_wrong_key_is_fatal(simulator: Server) -> None:
    """An account whose key the exchange refuses stops before it trades."""
    exchange = await open_exchange(
        "binance", Credentials(api_key="demo-key", secret="wrong", urls={"base": simulator.url})
    )
    with pytest.raises(Fatal):
        await exchange.prepare()
    await exchange.close()


@pytest.fixture
async def exchange_without_websocket(simulator: Server) -> AsyncIterator[Exchange]:
    """An account that can be reached by REST alone."""
    credentials = Credentials(
        api_key="demo-key",
        secret="demo-secret",
        urls={"base": simulator.url, "api": {"ws": {"ws-api": {"spot": "ws://127.0.0.1:9/"}}}},
    )
    exchange = await open_exchange("binance", credentials)
    await exchange.prepare()
    yield exchange
    await exchange.close()


async def test_orders_go_over_rest_where_the_websocket_cannot_be_reached(exchange_without_websocket: Exchange) -> None:
    """What certainly did not leave over one way may take the other."""
    placed = await exchange_without_websocket.execution.create_order(BID, "rest")
    assert placed.orders[0].status == "open"


async def test_absence_proves_nothing_until_the_window_and_the_backend_are_over() -> None:
    """By default 5 s of recvWindow and 10 s of work; a longer window of the account's own makes it longer."""
    for options, expected_ms in (({}, 15_000), ({"recvWindow": 20_000}, 30_000), ({"recvWindow": 100}, 15_000)):
        exchange = await open_exchange("binance", Credentials(options=options))
        assert exchange.profile.settlement_window_ms == expected_ms
        await exchange.close()
