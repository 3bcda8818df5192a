"""A machine whose clock is wrong trades all the same."""

from decimal import Decimal
from typing import Any

import pytest

from millrace_core.requests import CreateOrder, CreatePayload

ORDER = CreatePayload(symbol="KCS/USDT", side="buy", type="limit", amount_base=Decimal(1), price=Decimal("8.5"))


def offset_ms(heartbeat: Any) -> int | None:
    (account,) = [unit for unit in heartbeat.units if unit.name == "StrankaXY.binance"] or [None]
    return account and account.counters.get("clockOffsetMs")


@pytest.mark.parametrize("skew_ms", [-10_000, 10_000])
async def test_a_clock_that_is_wrong_from_the_start_is_corrected(platform: Any, skew_ms: int) -> None:
    """Binance refuses what is 1 s ahead or 5 s old: signed with the exchange's time, orders are placed at once."""
    platform.simulator.venue.clock.shift(skew_ms)
    await platform.start()
    answers = await platform.answers()
    await platform.bus.requests.send("StrankaXY", CreateOrder(exchange_id="binance", payload=ORDER))
    assert (await answers.number(1)).response.status == "done"
    beat = await platform.heartbeat_where(lambda beat: offset_ms(beat) not in (None, 0))
    assert abs(offset_ms(beat) - skew_ms) < 1_000


@pytest.mark.parametrize("skew_ms", [-10_000, 10_000])
async def test_a_clock_that_goes_wrong_is_set_right_at_the_first_refusal(platform: Any, skew_ms: int) -> None:
    """The request that was refused for its time is sent again with the right one, and placed once."""
    await platform.start()
    platform.simulator.venue.clock.shift(skew_ms)
    answers = await platform.answers()
    await platform.bus.requests.send("StrankaXY", CreateOrder(exchange_id="binance", valid_for=20_000, payload=ORDER))
    assert (await answers.number(1)).response.status == "done"
    assert len(platform.orders()) == 1
