"""What a campaign is to be, and the settings that follow from it."""

from dataclasses import dataclass
from typing import Any

from tests.storms.dialects import DIALECTS, Dialect
from tests.storms.faults import STORM, Weather

from millrace_core.names import AgentId, Symbol, Tenant
from millrace_simulator.config import DEMO_ACCOUNT, Limits, SimulatorConfig
from millrace_simulator.listings import SYMBOLS

AGENT, TENANT = AgentId("GATHERER"), Tenant("T")
OWN = Symbol("KCS/USDT")
MARKETS = ("BTC/USDT", "ETH/USDT", "ETH/BTC", "KCS/USDT", "BNB/USDT", "SOL/USDT", "XRP/USDT", "ADA/USDT")


@dataclass(frozen=True)
class Plan:
    """What a campaign is to be."""

    dialect: str = "binance"
    adapter: str = "native"
    frames: int = 5_000
    seed: int = 1
    weather: Weather = STORM
    markets: tuple[str, ...] = MARKETS
    events_per_second: float = 3_000
    frames_a_run: int = 50_000
    """After so many frames the faults pause until the account is right."""


def simulator_config(plan: Plan) -> SimulatorConfig:
    """Return the settings of a busy exchange that records everything."""
    dialect: Any = plan.dialect
    markets = {DIALECTS[plan.dialect].market(symbol) for symbol in plan.markets}
    return SimulatorConfig(
        dialect=dialect,
        seed=plan.seed,
        events_per_second=plan.events_per_second,
        depth_interval_ms=10,
        record=True,
        symbols=tuple(rules for rules in SYMBOLS[dialect] if rules.symbol in markets),
        accounts=(DEMO_ACCOUNT,),
        limits=Limits(weight_per_minute=600_000, public_weight_per_30_seconds=200_000),
    )


def gatherer_config(plan: Plan, dialect: Dialect, url: str) -> dict[str, Any]:
    """Return the settings of the gatherer, whose exchange is at an address."""
    account = {**dialect.credentials, "adapter": plan.adapter, "urls": {"base": url}}
    common = {"tenant": TENANT, "exchangeId": plan.dialect}
    plans = [
        {**common, "assetPairs": list(plan.markets), "dataPoints": ["watchOrderBook", "watchTrades"]},
        {**common, "assetPairs": [OWN], "dataPoints": ["watchOrders", "watchMyTrades", "watchBalance"]},
    ]
    return {"agent": {"id": AGENT}, "exchanges": {TENANT: {plan.dialect: account}}, "workplans": plans}
