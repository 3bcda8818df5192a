"""On ccxt's path connections are replaced before they end: readers notice nothing."""

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from packages.gatherer.tests.endurance.conftest import Watch, account, assert_right, configure, trade_ids, venue
from packages.gatherer.tests.endurance.relay import Relay, relay_to
from tests.support.line import Line

from millrace_bus import Bus
from millrace_core.config.common import Credentials
from millrace_core.requests import CreatePayload
from millrace_exchange import ExchangeProfile, open_exchange, profile_of
from millrace_simulator.listings import DialectName
from millrace_simulator.server import Server

pytestmark = pytest.mark.usefixtures("gatherer")

SYMBOL, OWN = "ETH/BTC", "KCS/USDT"
PUBLIC = ("watchOrderBook", "watchTrades", "watchTicker", "watchOHLCV")
PRIVATE = ("watchOrders", "watchMyTrades", "watchBalance")
LIFETIME_MS = 2_500
REPLACEMENTS = 3
ORDERS = 8


@pytest.fixture(autouse=True)
def short_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections that are replaced every few seconds."""

    def short_lived(exchange: Any) -> ExchangeProfile:
        return replace(profile_of(exchange), connection_lifetime_ms=LIFETIME_MS)

    monkeypatch.setattr("millrace_exchange.ccxt.exchange.profile_of", short_lived)
    monkeypatch.setattr("millrace_exchange.ccxt.sessions.OVERLAP_S", 0.7)


async def trade(dialect: DialectName, server: Server, replaced: asyncio.Event) -> list[str]:
    """Buy again and again until connections were replaced often enough; return the ids of the orders."""
    keys = Credentials.model_validate(account(server.url))
    exchange = await open_exchange(dialect, keys)
    bought: list[str] = []
    try:
        await exchange.prepare()
        while not replaced.is_set() or len(bought) < ORDERS:
            payload = CreatePayload(symbol=OWN, side="buy", type="market", amount_base=Decimal(1))
            answer = await exchange.execution.create_order(payload, f"{len(bought)}".rjust(32, "0"))
            bought.append(answer.orders[0].id)
            # Orders come at a rate of their own, whatever the connections do.
            await asyncio.sleep(0.2)
    finally:
        await exchange.close()
    return bought


async def several_replacements(relay: Relay, connections: int, replaced: asyncio.Event) -> None:
    """Wait until all connections of streams were opened several times."""
    async with asyncio.timeout(60):
        await relay.opened(relay.connections + REPLACEMENTS * connections)
    replaced.set()


@pytest.mark.parametrize("dialect", ["binance", "kucoin"])
async def test_connections_are_replaced_before_they_end(
    bus: Bus, watch: Callable[..., Watch], dialect: DialectName
) -> None:
    """No stream stops being live, no trade is missing, no book is wrong, and the old connections are closed."""
    async with venue(dialect) as server, relay_to(server.url) as relay:
        plans = [{"assetPairs": [SYMBOL], "dataPoints": PUBLIC}, {"assetPairs": [OWN], "dataPoints": PRIVATE}]
        await configure(bus, dialect, account(relay.url, adapter="ccxt"), *plans)
        watches = [watch(dialect, action, SYMBOL) for action in PUBLIC]
        watches += [watch(dialect, action, None if action == "watchBalance" else OWN) for action in PRIVATE]
        for each in watches:
            await each.until(lambda w: w.is_live)
        epochs, seen = [each.epoch for each in watches], watches[1].deltas
        await watches[1].until(lambda w: w.deltas > seen + 3)
        open_connections, replaced = relay.open_connections, asyncio.Event()
        bought, _ = await asyncio.gather(
            trade(dialect, server, replaced), several_replacements(relay, open_connections, replaced)
        )
        await watches[5].until(lambda w: {t.order for t in w.follower.state.trades} >= set(bought))
        for each in watches:
            assert each.breaks == 0, (each.follower.name, each.reasons)
        assert [each.epoch for each in watches] == epochs
        ids = await trade_ids(bus, watches[1])
        assert all(earlier < later for earlier, later in itertools.pairwise(ids))
        if dialect == "binance":
            assert ids == list(range(ids[0], ids[-1] + 1))
        own = await trade_ids(bus, watches[5])
        assert len(own) == len(set(own))
        assert watches[4].follower.state.open == {}
        assert_right(watches[0], server)
        async with asyncio.timeout(60):
            await relay.closed_until(2 * open_connections)


async def test_an_end_that_the_exchange_announces_is_forestalled(
    bus: Bus, line: Line, watch: Callable[..., Watch]
) -> None:
    """Every stream has moved, and the old connections are closed, before the exchange ends them."""
    plan = {"assetPairs": [SYMBOL], "dataPoints": PUBLIC}
    await configure(bus, "binance", account(line.url, adapter="ccxt"), plan)
    watches = [watch("binance", action, SYMBOL) for action in PUBLIC]
    for each in watches:
        await each.until(lambda w: w.is_live and w.deltas > 3)
    old = [socket for socket in line.open if "/ws-api/" not in socket.path]
    old[0].say('{"e":"serverShutdown","E":1770123456789}')
    async with asyncio.timeout(60):
        while not set(line.open).isdisjoint(old):
            await asyncio.sleep(0.02)  # a line tells nobody of its sockets
    for each in watches:
        await each.until(lambda w, seen=each.deltas: w.deltas > seen)
        assert each.breaks == 0, (each.follower.name, each.reasons)
    ids = await trade_ids(bus, watches[1])
    assert ids == list(range(ids[0], ids[-1] + 1))
