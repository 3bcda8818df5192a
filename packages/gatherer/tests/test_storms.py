"""An exchange that refuses is left alone, whatever arrives meanwhile."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from millrace_core.budget import LocalBudget, RequestBudget
from millrace_core.config.common import Credentials
from millrace_core.names import ExchangeId
from millrace_exchange import Retryable
from millrace_gatherer.exchanges import SharedExchanges

pytestmark = pytest.mark.usefixtures("gatherer")

SYMBOL = "ETH/BTC"
PAUSE_S = 2
HTML = "<html>Bad gateway</html>"


class Storm:
    """The refusals of an exchange, and what was asked for while it refused."""

    def __init__(self, status: int, headers: dict[str, str]) -> None:
        self.asked_s: list[float] = []
        """When each request came, on the loop's clock."""
        self.trades = 0
        """How many trades the exchange streamed since the first refusal."""
        self.raging = asyncio.Event()
        self._reply = (status, headers)
        self._has_lost = False

    def refuse(self, path: str) -> web.Response | None:
        """Refuse to say which trades there were, from then on everything, and let pass what comes before."""
        is_asked_for_trades = path.endswith(("/trades", "/historicalTrades")) and self._has_lost
        return self.refuse_all(path) if self.asked_s or is_asked_for_trades else None

    def refuse_all(self, _path: str) -> web.Response:
        """Refuse whatever is asked for."""
        self.asked_s.append(asyncio.get_running_loop().time())
        status, headers = self._reply
        return web.Response(status=status, headers=headers, text=HTML)

    def lose_one_trade(self, frame: str) -> str | None:
        """Lose the first trade, so that it has to be asked for, and count the others."""
        if '"e":"trade"' not in frame:
            return frame
        if not self._has_lost:
            self._has_lost = True
            return None
        self.trades += bool(self.asked_s)
        if self.trades > 100:
            self.raging.set()
        return frame


async def storm(line: Any, configure: Any, read: Any, status: int, headers: dict[str, str]) -> tuple[Storm, Any]:
    """Take the trades of a market until 100 came after the first refusal; return the storm and the reader."""
    reader = read("watchTrades", SYMBOL)
    await configure([SYMBOL], ["watchTrades"])
    await reader.until(lambda r: len(r.deltas()) > 3)
    raging = Storm(status, headers)
    line.refuse, line.treat = raging.refuse, raging.lose_one_trade
    async with asyncio.timeout(60):
        await raging.raging.wait()
    return raging, reader


def is_consecutive(reader: Any) -> bool:
    """Tell whether the reader saw each trade once."""
    ids = [int(trade.id) for delta in reader.deltas() for trade in delta.trades]
    return ids == list(range(ids[0], ids[0] + len(ids)))


@pytest.mark.parametrize("status", [429, 418, 503])
async def test_nothing_is_asked_before_the_pause_is_over(
    line: Any, configure: Any, read: Callable[..., Any], status: int
) -> None:
    """Each trade that arrives shows again that one is missing; asking waits, and then fills the gap."""
    raging, reader = await storm(line, configure, read, status, {"Retry-After": str(PAUSE_S)})
    async with asyncio.timeout(60):
        while len(raging.asked_s) < 2:
            await asyncio.sleep(0.01)
    assert raging.asked_s[1] - raging.asked_s[0] >= PAUSE_S
    line.refuse = lambda _path: None
    await reader.until(lambda r: r.statuses() and r.statuses()[-1][0] == "live" and len(r.deltas()) > 10)
    assert is_consecutive(reader)


async def test_a_failure_is_not_repeated_at_every_trade(line: Any, configure: Any, read: Callable[..., Any]) -> None:
    """A failure that asks for no pause is followed by one all the same, which grows."""
    raging, reader = await storm(line, configure, read, 500, {})
    assert len(raging.asked_s) < 10
    line.refuse = lambda _path: None
    published = len(reader.deltas())
    await reader.until(lambda r: len(r.deltas()) > published + 3)
    assert is_consecutive(reader)


async def test_units_that_start_together_ask_a_refusing_exchange_once(line: Any) -> None:
    """Each of them fails with what is left of the pause, so that the supervisor leaves all of them alone."""
    raging, shared = Storm(429, {"Retry-After": "30"}), SharedExchanges()
    line.refuse = raging.refuse_all
    keys, budget = Credentials(urls={"base": line.url}), RequestBudget(LocalBudget())

    async def use() -> None:
        async with shared.use(ExchangeId("binance"), keys, budget):
            raise AssertionError("it refuses")

    failures = await asyncio.gather(*(use() for _ in range(3)), return_exceptions=True)
    assert len(raging.asked_s) == 1
    assert all(isinstance(failure, Retryable) and 0 < failure.retry_after_ms <= 30_000 for failure in failures)
