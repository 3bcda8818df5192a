"""What an exchange takes in a market reaches a running strategy: exchange, gatherer, Redis, magicbox."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from millrace_bus import Bus, EmbeddedServer
from millrace_core.names import AgentId, Tenant
from millrace_exchange.ccxt import market_listing
from millrace_gatherer.agent import GathererAgent
from millrace_magicbox import MagicboxAgent
from millrace_service import Settings, run_agent
from millrace_simulator.config import default_config
from millrace_simulator.listings import DialectName
from millrace_simulator.server import Server, serve

PLUGINS = Path(__file__).parent / "support" / "strategies"
TENANT, SYMBOL = Tenant("T"), "KCS/USDT"
RULES = ("tickSize", "amountStep", "minAmount", "minCost")
MARKET_IDS: dict[DialectName, str] = {"binance": "KCSUSDT", "kucoin": "KCS-USDT"}


@asynccontextmanager
async def running(agent: Any, name: str, redis_url: str) -> AsyncIterator[None]:
    """Run a service's agent while the body runs."""
    stop = asyncio.Event()
    task = asyncio.create_task(run_agent(agent, Settings(agent_id=AgentId(name), redis_url=redis_url), stop=stop))
    try:
        yield
    finally:
        stop.set()
        await task


async def configure(bus: Bus, exchanges: dict[DialectName, Server]) -> None:
    """Stream the books of all exchanges, and have the strategy follow them."""
    plans = [
        {"tenant": TENANT, "exchangeId": exchange, "assetPairs": [SYMBOL], "dataPoints": ["watchOrderBook"]}
        for exchange in exchanges
    ]
    accounts = {TENANT: {exchange: {"urls": {"base": server.url}} for exchange, server in exchanges.items()}}
    gatherer = {"agent": {"id": "GATHERER"}, "exchanges": accounts, "workplans": plans}
    followed = [{"exchangeId": exchange, "symbol": SYMBOL, "dataPoint": "watchOrderBook"} for exchange in exchanges]
    workplan = {"tenantId": TENANT, "plugins": [{"pluginName": "Surveyor"}], "subscriptions": followed}
    magicbox = {"agent": {"id": "MAGICBOX"}, "workplans": [workplan]}
    await bus.put_config(AgentId("GATHERER"), json.dumps(gatherer))
    await bus.put_config(AgentId("MAGICBOX"), json.dumps(magicbox))


def listed(server: Server, exchange: DialectName) -> dict[str, str]:
    """Return the terms as the simulated exchange has them, in text."""
    rules = server.venue.instrument(MARKET_IDS[exchange]).rules
    values = (rules.tick_size, rules.lot_size, rules.lot_size, rules.min_notional)
    return {name: f"{value:f}" for name, value in zip(RULES, values, strict=True)}


async def test_a_strategy_sees_the_filters_of_its_exchanges(
    server: EmbeddedServer, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the first event of each book on; what an exchange changes follows when its markets are loaded again."""
    monkeypatch.setattr(market_listing, "RELOAD_S", 0.2)
    async with AsyncExitStack() as stack:
        exchanges = {
            dialect: await stack.enter_async_context(await serve(default_config(dialect))) for dialect in MARKET_IDS
        }
        await configure(bus, exchanges)
        await stack.enter_async_context(running(GathererAgent(), "GATHERER", server.url))
        await stack.enter_async_context(running(MagicboxAgent(PLUGINS), "MAGICBOX", server.url))

        async def seen(when: str = "") -> dict[str, dict[str, str]]:
            kept = await bus.strategy_records.get(TENANT, "Surveyor")
            record = json.loads(kept.get("state", b"{}"))
            known = {exchange: record.get(f"{exchange}{when}", {}) for exchange in exchanges}
            return {exchange: {name: terms.get(name) for name in RULES} for exchange, terms in known.items()}

        async def sees(expected: dict[str, dict[str, str]]) -> None:
            async with asyncio.timeout(60):
                while await seen() != expected:
                    await asyncio.sleep(0.05)

        at_first = {str(exchange): listed(each, exchange) for exchange, each in exchanges.items()}
        await sees(at_first)
        assert await seen(" at first") == at_first
        for exchange, each in exchanges.items():
            instrument = each.venue.instrument(MARKET_IDS[exchange])
            instrument.rules = msgspec.structs.replace(instrument.rules, min_notional=Decimal("7.5"))
        await sees({exchange: {**at_first[exchange], "minCost": "7.5"} for exchange in exchanges})
