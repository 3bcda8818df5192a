"""What a gatherer uses of an exchange's limits is counted for all, and shown."""

import asyncio
from typing import Any

import pytest

from millrace_bus import Bus

pytestmark = pytest.mark.usefixtures("gatherer")


async def test_the_heartbeat_shows_what_is_left(configure: Any, read: Any, bus: Bus) -> None:
    """Every unit shows what is left of the limits that it shares, once the exchange was asked for something."""
    trades = read("watchTrades", "ETH/BTC")
    await configure(["ETH/BTC"], ["watchTrades"])
    await trades.until(lambda r: r.deltas())
    async with asyncio.timeout(60):
        while not (
            units := [u for beat in await bus.heartbeats() for u in beat.units if "left.CONNECTIONS" in u.counters]
        ):
            await asyncio.sleep(0.02)
    counters = units[0].counters
    assert counters["left.CONNECTIONS"] < 300
    assert 5_000 < counters["left.REQUEST_WEIGHT"] < 6_000
    assert counters["pausedUntil"] == 0
