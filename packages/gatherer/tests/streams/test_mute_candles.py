"""Candles whose stream brings nothing while the market goes on."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from millrace_bus import Bus, Update
from millrace_core.clock import now_ns
from millrace_core.config.common import Credentials
from millrace_core.market import Candle
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_exchange import EventTimes, Exchange
from millrace_exchange.profile import ExchangeProfile
from millrace_gatherer.streams import run_stream, stream_of
from millrace_gatherer.streams.stream import MUTE
from millrace_gatherer.units import StreamUnitConfig
from millrace_service import UnitHealthReporter
from millrace_service.health import ErrorLog

X, SYMBOL = ExchangeId("x"), Symbol("A/B")


class Market:
    """A market with one candle, which grows while nothing is streamed."""

    def __init__(self) -> None:
        self.volume = 1.0
        self.listener: Any = None
        self.is_mute = asyncio.Event()

    @property
    def candle(self) -> Candle:
        """The candle as it is now."""
        return (0, 1.0, 1.0, 1.0, 1.0, self.volume)

    async def candles(self, symbol: str, timeframe: str, listener: Any) -> None:
        """Stream the candle until the connection becomes mute."""
        self.listener = listener
        while not self.is_mute.is_set():
            self.send()
            await asyncio.sleep(0.02)
        await asyncio.Event().wait()

    def send(self) -> None:
        """Stream the candle once."""
        self.volume += 1.0
        self.listener.candles_changed([self.candle], EventTimes(None, now_ns()))

    async def fetch_candles(self, *_: Any) -> list[Candle]:
        """Return the candle, which has grown."""
        self.volume += 1.0
        return [self.candle]


async def test_candles_that_only_questions_bring_are_not_live(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """The market goes on, as the fetched candles show: the stream is stale until it brings something itself."""
    for name, value in {"LEAST_S": 0.2, "LEARNED_AFTER_S": 0.2, "LEARNED_AFTER_MESSAGES": 5}.items():
        monkeypatch.setattr(f"millrace_gatherer.streams.silence.{name}", value)
    market, arrived = Market(), asyncio.Event()
    statuses: list[tuple[str, str | None]] = []

    def take(update: Update) -> None:
        if update.kind == "status":
            statuses.append((update.data.status, update.data.reason))
        arrived.set()

    name = StreamName(Tenant("T"), X, Action("watchOHLCV"), SYMBOL)
    unit = StreamUnitConfig(name, Credentials(), 1_000, 60.0, checksum_every=1, timeframes=(("1m", 10),))
    exchange = cast(Exchange, SimpleNamespace(market=market, profile=ExchangeProfile(exchange=X)))
    health = UnitHealthReporter("candles", changed=lambda: None, errors=ErrorLog())
    follower = bus.follow(name, take)
    running = asyncio.create_task(run_stream(stream_of(unit, exchange, bus, health)))

    async def until(holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not holds():
                arrived.clear()
                await arrived.wait()

    await until(lambda: follower.status == "live")
    # Time to learn that it is busy.
    await asyncio.sleep(0.5)
    statuses.clear()
    market.is_mute.set()
    await until(lambda: ("stale", MUTE) in statuses)
    assert ("live", None) not in statuses
    market.send()
    await until(lambda: ("live", None) in statuses)
    await follower.close()
    running.cancel()
    await asyncio.wait({running})
