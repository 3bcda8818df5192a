"""An exchange that was set up anew numbers its trades from the start: they are followed, not taken for known ones."""

import asyncio
import re
from typing import Any

import pytest

from millrace_bus import Bus
from millrace_core.clock import now_ms
from millrace_core.market import Trade, TradesSnapshot
from millrace_gatherer.streams.trades import RENUMBERED

SYMBOL, OWN = "ETH/BTC", "KCS/USDT"
LAST_OF_THE_OLD = 100_000_000 + 5_000
"""Far above what the simulator reaches in a test."""


async def published_before(bus: Bus, name: Any, trade_id: int) -> None:
    """Leave what a gatherer left that had followed the exchange before it was set up anew."""
    at_ms = now_ms() - 60_000
    known = [Trade(str(trade_id), at_ms, str(name.symbol), "buy", 1.0, 1.0, order="1")]
    writer = bus.writer(name, lambda as_of: TradesSnapshot(known, str(as_of)))
    await writer.open()
    await writer.close()


async def counted(bus: Bus, counter: str) -> int:
    """Wait until a unit has counted this."""
    async with asyncio.timeout(60):
        while True:
            found = [u.counters[counter] for b in await bus.heartbeats() for u in b.units if counter in u.counters]
            if found:
                return int(found[0])
            # A heartbeat is a key that tells nobody of its change.
            await asyncio.sleep(0.05)


@pytest.mark.usefixtures("gatherer")
async def test_trades_of_an_exchange_that_numbers_anew_are_followed(
    configure: Any, read: Any, bus: Bus, line: Any
) -> None:
    """They go on under their new numbers, it is reported once, and costs a few requests only."""
    reader = read("watchTrades", SYMBOL)
    await published_before(bus, reader.follower.name, LAST_OF_THE_OLD)
    await configure([SYMBOL], ["watchTrades"])
    await reader.until(lambda r: len(r.deltas()) > 40 and r.follower.status == "live")
    ids = [int(trade.id) for delta in reader.deltas() for trade in delta.trades]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert ids[-1] < LAST_OF_THE_OLD
    assert await counted(bus, "renumbered") == 1
    assert [e.message for b in await bus.heartbeats() for e in b.last_errors] == [RENUMBERED]
    assert len([path for path in line.requests if "rades" in path]) <= 4


@pytest.mark.usefixtures("gatherer")
async def test_trades_that_are_reported_twice_cost_no_request(configure: Any, read: Any, line: Any) -> None:
    """A repeated trade is dropped, and nobody is asked about it."""
    reader = read("watchTrades", SYMBOL)
    await configure([SYMBOL], ["watchTrades"])
    await reader.until(lambda r: len(r.deltas()) > 5 and r.follower.status == "live")
    known, repeated, enough = reader.deltas()[-1].trades[0].id, 0, asyncio.Event()

    def repeat(frame: str) -> str:
        nonlocal repeated
        repeated += '"e":"trade"' in frame
        if repeated > 20:
            enough.set()
        return re.sub(r'"t":\d+', f'"t":{known}', frame)

    asked = len(line.requests)
    line.treat = repeat
    async with asyncio.timeout(60):
        await enough.wait()
    assert len(line.requests) == asked
