"""How far the exchange's clock is from ours."""

import asyncio

import pytest

from millrace_core.clock import now_ms
from millrace_exchange.ccxt.exchange_clock import ExchangeClock


@pytest.mark.parametrize(("ahead_ms", "is_wrong"), [(0, False), (5_000, True), (-5_000, True)])
async def test_a_difference_that_the_questions_own_time_explains_is_none(ahead_ms: int, is_wrong: bool) -> None:
    """The first question opens a connection: its answer is slow on one way, and says nothing of our clock."""
    clock = ExchangeClock()

    async def ask() -> int:
        await asyncio.sleep(0.05)
        return now_ms() + ahead_ms

    clock.doubt()
    await clock.measure("binance", ask)
    assert (clock.offset_ms != 0) == is_wrong
    assert abs(clock.offset_ms - ahead_ms) < 1_000
    assert not clock.is_doubted


async def test_it_is_asked_only_while_there_is_a_doubt() -> None:
    """Many requests that are refused at once ask once."""
    clock, asked = ExchangeClock(), list[int]()

    async def ask() -> int | None:
        asked.append(now_ms())
        return None

    await clock.measure("binance", ask)
    assert asked == []
    clock.doubt()
    await asyncio.gather(*(clock.measure("binance", ask) for _ in range(10)))
    assert len(asked) == 1
