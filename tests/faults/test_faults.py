"""A small set of schedules; `make faults` runs as many as one likes."""

import asyncio
from pathlib import Path

from tests.faults.plan import plan_of
from tests.faults.schedule import run

from millrace_store import Store

SEEDS = (4046, 115, 244, 344)
"""On KuCoin: one killed, a Redis without memory, a wrong clock, and a gatherer. On Binance: one frozen, garbled events,
a delisting, and a gatherer; a half-open line and cut lines to Redis, lost data, mute lines, and a gatherer; a read-only
Redis, two executors, a restart with an empty Redis.

KuCoin's answers do not fail here: a request that is lost waits for its window of 65 s.
"""


async def test_whatever_fails_every_request_has_one_true_answer(tmp_path: Path) -> None:
    """At most one order, exactly one final answer, and the exchange's ledger agrees with it."""
    database = tmp_path / "empty.db"
    async with Store.open(f"sqlite:///{database}"):
        pass
    outcomes = await asyncio.gather(*(run(plan_of(seed), database) for seed in SEEDS))
    assert {outcome.plan.seed: outcome.violations for outcome in outcomes} == {seed: [] for seed in SEEDS}
    assert sum(outcome.requests for outcome in outcomes) > 100
    assert sum(sum(outcome.faults.values()) for outcome in outcomes) > 10
