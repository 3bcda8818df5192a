"""The market on the wall clock."""

from __future__ import annotations

import asyncio
import time

from millrace_simulator.market.market import Market

STEP_MS = 10
_MOST_US = 250_000
"""A late step catches up by no more than this, so that a suspended machine does not resume with a burst."""


async def run(market: Market, *, step_ms: int = STEP_MS) -> None:
    """Step the market along the wall clock until cancelled."""
    for instrument in market.venue.instruments.values():
        # In advance, one symbol at a time, so that the first order does not wait for it.
        instrument.statistics.prepare()
        await asyncio.sleep(0)
    last_ns = time.monotonic_ns()
    while True:
        await asyncio.sleep(step_ms / 1000)
        now_ns = time.monotonic_ns()
        market.step(market.now_us + min((now_ns - last_ns) // 1000, _MOST_US))
        last_ns = now_ns
