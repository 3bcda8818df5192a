"""A backlog that stands before the gatherer's socket shows."""

import asyncio
from typing import Any

import pytest

from millrace_bus import Bus
from millrace_gatherer.streams.stream import BEHIND

pytestmark = pytest.mark.usefixtures("gatherer")

SYMBOL = "ETH/BTC"


async def test_a_stream_that_lags_more_and_more_is_stale_until_it_has_caught_up(
    configure: Any, read: Any, bus: Bus, line: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every message arrives, complete and in order, but late; rate and lag are in the heartbeat."""
    monkeypatch.setattr("millrace_gatherer.streams.following.MEASURE_S", 0.2)
    await configure([SYMBOL], ["watchOrderBook"])
    reader = read("watchOrderBook", SYMBOL)
    await reader.until(lambda r: len(r.deltas()) > 20 and r.follower.status == "live")
    line.delay_s = 0.2
    await reader.until(lambda r: ("stale", BEHIND) in r.statuses())
    async with asyncio.timeout(60):
        while not [c for c in await gauges(bus) if c["lagMs"] > 1_000 and c["messagesPerSecond"] > 0]:
            # A heartbeat is a key that tells nobody of its change.
            await asyncio.sleep(0.05)
    line.delay_s = 0.0
    await reader.until(lambda r: r.statuses()[-1][0] == "live")


async def gauges(bus: Bus) -> list[dict[str, float]]:
    """Return the counters of the units that measure their lag."""
    return [unit.counters for beat in await bus.heartbeats() for unit in beat.units if "lagMs" in unit.counters]
