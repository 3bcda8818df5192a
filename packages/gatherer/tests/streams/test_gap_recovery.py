"""How soon a stream that failed is followed again."""

import asyncio
from typing import Any, NoReturn, cast

import pytest

from millrace_bus import Bus
from millrace_core.backoff import BackoffPolicy
from millrace_core.clock import now_ns
from millrace_core.config.common import Credentials
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_exchange import EventTimes, Exchange, Retryable
from millrace_exchange.profile import ExchangeProfile
from millrace_gatherer.streams import run_stream
from millrace_gatherer.streams.order_book import OrderBookStream
from millrace_gatherer.units import StreamUnitConfig
from millrace_service import UnitHealthReporter
from millrace_service.health import ErrorLog

BINANCE = ExchangeId("binance")
STEADY_S = 0.05
POLICY = BackoffPolicy(first_s=0.4, limit_s=0.4, healthy_after_s=STEADY_S)
"""A pause would be seen: it is never below 0.2 s."""


class Breaking:
    """A market whose book is whole at once, and then breaks after a while."""

    def __init__(self, lasting_s: float, how: str) -> None:
        self.market = self
        self.profile = ExchangeProfile(exchange=BINANCE)
        self.followed_s: list[float] = []
        self.failed_s: list[float] = []
        self._lasting_s, self._how = lasting_s, how
        self._followed = asyncio.Condition()

    async def order_book(self, symbol: Symbol, listener: Any, limit: int | None) -> NoReturn:
        """Send a whole book, then break."""
        loop = asyncio.get_running_loop()
        async with self._followed:
            self.followed_s.append(loop.time())
            self._followed.notify_all()
        listener.book_reset([(1.0, 1.0)], [(2.0, 1.0)], 1, EventTimes(None, now_ns()))
        await asyncio.sleep(self._lasting_s)
        self.failed_s.append(loop.time())
        if self._how == "found by the adapter":
            listener.book_broken("frame 3 follows frame 1")
            await asyncio.Event().wait()
        is_disconnected = self._how == "disconnected"
        raise Retryable("x", exchange=BINANCE, action="", kind="x", is_disconnected=is_disconnected)

    async def pauses_s(self, number: int) -> list[float]:
        """Return the first pauses between a failure and the next attempt."""
        async with asyncio.timeout(60), self._followed:
            await self._followed.wait_for(lambda: len(self.followed_s) > number)
        return [again - failed for again, failed in zip(self.followed_s[1:], self.failed_s, strict=False)][:number]


@pytest.fixture
async def pauses_of(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Follows a market's book until it has failed a few times, and returns the pauses in s."""
    monkeypatch.setattr("millrace_gatherer.streams.following.RECONNECT", POLICY)

    async def measure(exchange: Breaking, number: int) -> list[float]:
        name = StreamName(Tenant("T"), BINANCE, Action("watchOrderBook"), Symbol("A/B"))
        unit = StreamUnitConfig(name, Credentials(), 1_000, snapshot_interval_s=60.0, checksum_every=1)
        health = UnitHealthReporter("book", changed=lambda: None, errors=ErrorLog())
        stream = OrderBookStream(unit, cast(Exchange, exchange), bus, health)
        running = asyncio.create_task(run_stream(stream))
        pauses = await exchange.pauses_s(number)
        running.cancel()
        await asyncio.wait({running})
        return pauses

    return measure


@pytest.mark.parametrize("how", ["found by the adapter", "found by ccxt"])
async def test_a_gap_in_a_live_stream_is_followed_by_no_pause(pauses_of: Any, how: str) -> None:
    """However many there are: the stream is taken again at once."""
    pauses = await pauses_of(Breaking(2 * STEADY_S, how), 4)
    assert max(pauses) < POLICY.first_s / 2


async def test_a_stream_that_breaks_as_soon_as_it_is_live_is_left_alone_for_a_while(pauses_of: Any) -> None:
    """Only the first gap costs no pause: a check that fails on every book must not ask without end."""
    pauses = await pauses_of(Breaking(0.0, "found by the adapter"), 3)
    assert min(pauses[1:]) >= POLICY.first_s / 2


async def test_a_lost_connection_is_opened_again_after_a_short_pause(pauses_of: Any) -> None:
    """The streams of a connection do not all return in the same moment."""
    pauses = await pauses_of(Breaking(2 * STEADY_S, "disconnected"), 2)
    assert min(pauses) >= POLICY.first_s / 2
