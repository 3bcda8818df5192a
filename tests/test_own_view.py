"""Two strategies on two symbols, whose orders have the same numbers: what each believes is what the exchange says."""

import asyncio
import json
import os
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.support.platform import ROOT, Platform, running, until

SAMPLES = int(os.environ.get("MILLRACE_TEST_SAMPLES", "6"))
SYMBOLS = {"KCS/USDT": 1, "XRP/USDT": 10}
STATUS = {
    "NEW": "open",
    "PARTIALLY_FILLED": "open",
    "FILLED": "closed",
    "CANCELED": "canceled",
    "EXPIRED_IN_MATCH": "expired",
}
NEWEST = 50
"""Orders of each symbol that are compared: the exchange is asked often, and they become many."""
STILL_S = 0.3
"""How long the exchange's own state must have been the same before it is compared."""

Orders = dict[str, tuple[str, Decimal]]
"""Status and filled amount by symbol and number."""


@pytest.mark.system
async def test_a_strategys_view_is_the_exchanges(tmp_path: Path) -> None:
    """Whenever the exchange's state stands still, both strategies together believe in exactly its orders and fills."""

    def change(kind: str, config: dict[str, Any]) -> None:
        if kind == "gatherer":
            config["workplans"][1]["assetPairs"] = list(SYMBOLS)
        if kind == "executor":
            config["risk"]["StrankaXY"]["symbols"] = list(SYMBOLS)

    market = {"eventsPerSecond": 200, "limits": {"enforce": False}}
    async with running(tmp_path, ("gatherer", "executor"), simulator=market, change=change) as platform:
        await start_quoters(platform)
        await compare_samples(platform, tmp_path)


async def start_quoters(platform: Platform) -> None:
    """Start a strategy for each symbol."""
    config = platform.example("magicbox")
    plugins = [
        {
            "pluginName": "Quoter",
            "name": f"Quoter-{symbol[:3]}",
            "configuration": {"symbol": symbol, "amount": amount, "view": str(view(platform.folder, symbol))},
        }
        for symbol, amount in SYMBOLS.items()
    ]
    points = ("watchOrderBook", "watchOrders")
    subscriptions = [
        {"exchangeId": "binance", "symbol": symbol, "dataPoint": point} for symbol in SYMBOLS for point in points
    ]
    config["workplans"] = [{"tenant": "StrankaXY", "plugins": plugins, "subscriptions": subscriptions}]
    await platform.configure("magicbox", config)
    await platform.start_service("magicbox", ROOT / "tests" / "support" / "strategies")


async def compare_samples(platform: Platform, folder: Path) -> None:
    """Compare so many times, and until orders of both symbols were compared that have the same number."""
    samples, has_shared = 0, False
    while samples < SAMPLES or not has_shared:

        async def compared() -> set[str] | None:
            exchange = await standing_still(platform)
            believed = await believed_after(folder, time.time())
            if exchange is None or exchange != await orders_at(platform):
                return None  # it changed while we looked
            newest = {key: order for key, order in believed.items() if key in exchange or order[0] == "open"}
            assert newest == exchange
            return set(exchange)

        keys = await until(compared, "the exchange's state stands still", timeout=60, platform=platform)
        samples, has_shared = samples + 1, has_shared or has_shared_number(keys)


async def standing_still(platform: Platform) -> Orders | None:
    """Return the exchange's state if it has not changed for a while."""
    before = await orders_at(platform)
    await asyncio.sleep(STILL_S)  # this long the platform has to learn of the last change
    return before if before and before == await orders_at(platform) else None


async def orders_at(platform: Platform) -> Orders:
    """Return the newest orders of the account at the exchange; older ones have ended long ago."""
    found: Orders = {}
    for symbol in SYMBOLS:
        for order in await platform.get_signed("/api/v3/allOrders", symbol=symbol.replace("/", ""), limit=NEWEST):
            found[f"{symbol} {order['orderId']}"] = (STATUS[order["status"]], Decimal(order["executedQty"]))
    return found


async def believed_after(folder: Path, at_s: float) -> Orders:
    """Return what both strategies believe, as each wrote it down after a moment."""
    found: Orders = {}
    for symbol in SYMBOLS:

        async def written(symbol: str = symbol) -> dict[str, Any] | None:
            path = view(folder, symbol)
            content: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"at": 0}
            return content if content["at"] > at_s * 1000 else None

        content = await until(written, f"the view of {symbol}")
        found |= {key: (status, Decimal(filled)) for key, (status, filled) in content["orders"].items()}
    return found


def has_shared_number(keys: set[str]) -> bool:
    """Tell whether an order of each symbol has the same number."""
    numbers = [{key.split()[1] for key in keys if key.startswith(symbol)} for symbol in SYMBOLS]
    return bool(set.intersection(*numbers))


def view(folder: Path, symbol: str) -> Path:
    """Return the file in which the strategy of a symbol writes down its view."""
    return folder / f"view-{symbol[:3]}.json"
