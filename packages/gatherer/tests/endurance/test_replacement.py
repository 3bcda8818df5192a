"""A gatherer is replaced by another of the same id while it runs: readers lose nothing."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from packages.gatherer.tests.endurance.conftest import Watch, account, assert_right, configure, shows, trade_ids, venue

from millrace_bus import Bus
from millrace_simulator.listings import DialectName

SYMBOL = "ETH/BTC"
STREAMS = (
    ("watchOrderBook", SYMBOL),
    ("watchTrades", SYMBOL),
    ("watchTicker", SYMBOL),
    ("watchOHLCV", SYMBOL),
    ("watchOrders", SYMBOL),
    ("watchMyTrades", SYMBOL),
    ("watchBalance", None),
)
PLAN = {"assetPairs": [SYMBOL], "dataPoints": [action for action, _ in STREAMS]}
PAUSE_S = 3.0
"""How long a stream may be out of date meanwhile, on a machine that does much else: 0.3 s at most were seen."""
VENUES = [("binance", "native"), ("binance", "ccxt"), ("kucoin", "ccxt")]


def assert_complete(trades: list[int], dialect: str) -> None:
    """Each trade is there once, in order; where numbers are consecutive, every one."""
    assert all(earlier < later for earlier, later in itertools.pairwise(trades))
    if dialect == "binance":
        assert trades == list(range(trades[0], trades[-1] + 1))


async def follow_all(dialect: str, watch: Callable[..., Watch]) -> list[Watch]:
    """A watch on every stream, each of them live and the first two under way."""
    watches = [watch(dialect, *stream) for stream in STREAMS]
    for each in watches:
        await each.until(lambda w: w.is_live)
    await go_on(watches)
    return watches


async def go_on(watches: list[Watch]) -> None:
    """Wait for more of the book and of the trades."""
    for each in watches[:2]:
        await each.until(lambda w, seen=each.deltas: w.deltas > seen + 10)


@pytest.mark.parametrize(("dialect", "adapter"), VENUES)
async def test_a_second_gatherer_takes_over_while_the_first_runs(
    bus: Bus, start: Callable[..., Any], watch: Callable[..., Watch], dialect: DialectName, adapter: str
) -> None:
    """Started beside the first, which is ended once all is live: each trade is there once, no book is ever wrong."""
    async with venue(dialect) as server:
        await configure(bus, dialect, account(server.url, adapter=adapter), PLAN)
        first = await start()
        watches = await follow_all(dialect, watch)
        epochs = [each.epoch for each in watches]
        second = await start()
        for each, epoch in zip(watches, epochs, strict=True):
            await each.until(lambda w, epoch=epoch: w.epoch > epoch and w.is_live)
        beat = await shows(bus, lambda beat: beat.pid == second.pid and all(u.state == "live" for u in beat.units))
        assert len(beat.units) == len(STREAMS)
        assert await first.end() == 0
        assert [beat.pid for beat in await bus.heartbeats()] == [second.pid]
        await go_on(watches)
        assert_complete(await trade_ids(bus, watches[1]), dialect)
        assert_right(watches[0], server)
        for each in watches:
            assert max(each.pauses_s, default=0) < PAUSE_S
            assert "stopped by the gatherer" not in each.reasons


async def test_readers_learn_of_a_restart(bus: Bus, start: Callable[..., Any], watch: Callable[..., Watch]) -> None:
    """Each stream is closed, with the reason, and live again with the next process; trades made meanwhile are there."""
    async with venue("binance") as server:
        await configure(bus, "binance", account(server.url), PLAN)
        first = await start()
        watches = await follow_all("binance", watch)
        assert await first.end() == 0
        for each in watches:
            await each.until(lambda w: w.follower.status == "closed" and w.reasons[-1] == "stopped by the gatherer")
        await start()
        for each in watches:
            await each.until(lambda w: w.is_live)
        await go_on(watches)
        assert_complete(await trade_ids(bus, watches[1]), "binance")
        assert_right(watches[0], server)
