from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from itertools import pairwise

import pytest

from millrace_simulator.market import Market, run
from millrace_simulator.venue import Listener, Venue

Opener = Callable[..., tuple[Venue, Market]]


class _Steps(Listener):
    """Sets an event after a number of steps, and keeps when they came."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.walls_us: list[int] = []
        self.markets_us: list[int] = []
        self.reached = asyncio.Event()

    def on_step(self, now_us: int) -> None:
        self.walls_us.append(time.monotonic_ns() // 1_000)
        self.markets_us.append(now_us)
        if len(self.walls_us) == self.wanted:
            self.reached.set()


def _caught_up(walls_us: list[int]) -> int:
    """Return the time between the first and the last, of which a late step catches up no more than 250 ms."""
    return sum(min(after - before, 250_000) for before, after in pairwise(walls_us))


async def test_the_market_follows_the_wall_clock(open_market: Opener) -> None:
    """Steps come about every 10 ms, and market time passes as fast as the wall's."""
    venue, market = open_market("KCSUSDT")
    venue.instrument("KCSUSDT").statistics.prepare()
    steps = _Steps(20)
    venue.listen(steps)
    begun_us, wall_us = market.now_us, time.monotonic_ns() // 1_000
    driver = asyncio.create_task(run(market))
    await asyncio.wait_for(steps.reached.wait(), 60)
    driver.cancel()
    with pytest.raises(asyncio.CancelledError):
        await driver
    # Between the wall's times of two steps, for the market's is taken right before a step.
    walls_us, passed_us = steps.walls_us[:20], steps.markets_us[19] - begun_us
    assert _caught_up(walls_us[:-1]) <= passed_us <= _caught_up([wall_us, *walls_us])
