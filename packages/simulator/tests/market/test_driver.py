from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from millrace_simulator.market import Market, run
from millrace_simulator.venue import Listener, Venue

Opener = Callable[..., tuple[Venue, Market]]


class _Steps(Listener):
    """Sets an event after a number of steps."""

    def __init__(self, wanted: int) -> None:
        self.left = wanted
        self.reached = asyncio.Event()

    def on_step(self, now_us: int) -> None:
        self.left -= 1
        if self.left == 0:
            self.reached.set()


async def test_the_market_follows_the_wall_clock(open_market: Opener) -> None:
    """Steps come about every 10 ms, and market time passes as fast as the wall's."""
    venue, market = open_market("KCSUSDT")
    venue.instrument("KCSUSDT").statistics.prepare()
    steps = _Steps(20)
    venue.listen(steps)
    begun_us, loop = market.now_us, asyncio.get_running_loop()
    begun = loop.time()
    driver = asyncio.create_task(run(market))
    await asyncio.wait_for(steps.reached.wait(), 10)
    passed_us = (loop.time() - begun) * 1_000_000
    driver.cancel()
    with pytest.raises(asyncio.CancelledError):
        await driver
    assert market.now_us - begun_us == pytest.approx(passed_us, abs=50_000)
