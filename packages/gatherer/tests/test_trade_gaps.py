"""Public trades that a socket loses: each is published once, in order."""

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.usefixtures("gatherer")

SYMBOL = "ETH/BTC"


async def test_a_trade_that_is_missing_between_two_that_come_together_is_asked_for(
    configure: Any, read: Callable[..., Any], line: Any
) -> None:
    """The gap within what one read of the socket brings shows as the one before it does."""
    reader = read("watchTrades", SYMBOL)
    await configure([SYMBOL], ["watchTrades"])
    await reader.until(lambda r: len(r.deltas()) > 3)
    together: list[str] = []

    def lose_the_second(frame: str) -> list[str]:
        if '"e":"trade"' not in frame or len(together) == 3:
            return [frame]
        together.append(frame)
        return [together[0], together[2]] if len(together) == 3 else []

    line.treat = lose_the_second
    published = len(reader.deltas())
    await reader.until(lambda r: len(together) == 3 and len(r.deltas()) > published + 5)
    ids = [int(trade.id) for delta in reader.deltas() for trade in delta.trades]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
