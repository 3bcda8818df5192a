"""Candles of a time in which nobody watched."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

from millrace_bus import Bus, Update
from millrace_core.clock import MINUTE_MS, now_ms, now_ns
from millrace_core.config.common import Credentials
from millrace_core.market import Candle, CandlesSnapshot
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_core.states import CandlesState
from millrace_exchange import EventTimes, Exchange, open_exchange
from millrace_exchange.profile import ExchangeProfile
from millrace_gatherer.streams import run_stream, stream_of
from millrace_gatherer.streams.candles import LOST
from millrace_gatherer.units import StreamUnitConfig
from millrace_service import UnitHealthReporter
from millrace_service.health import ErrorLog
from millrace_simulator.server import Server

X, SYMBOL = ExchangeId("x"), Symbol("A/B")


class NewestAlone:
    """An exchange that has its newest candles only, whatever it is asked for."""

    def __init__(self, newest_ms: int) -> None:
        self._newest_ms = newest_ms

    async def candles(self, *_: Any) -> None:
        """Stream nothing."""
        await asyncio.Event().wait()

    async def fetch_candles(self, *_: Any) -> list[Candle]:
        """Return ten candles."""
        return [(self._newest_ms - n * MINUTE_MS, 1.0, 1.0, 1.0, 1.0, 1.0) for n in range(9, -1, -1)]


class OldAnswer:
    """An exchange whose answer is on its way while its stream ends one candle and begins the next."""

    def __init__(self) -> None:
        self._listener: Any = None
        self._followed = asyncio.Event()

    async def candles(self, _symbol: str, _timeframe: str, listener: Any) -> None:
        """Stream what happens while the answer is under way."""
        self._listener = listener
        self._followed.set()
        await asyncio.Event().wait()

    async def fetch_candles(self, *_: Any) -> list[Candle]:
        """Return a candle as it was before its end."""
        await self._followed.wait()
        for candle in ((0, 1.0, 3.0, 1.0, 3.0, 9.0), (MINUTE_MS, 3.0, 3.0, 3.0, 3.0, 1.0)):
            self._listener.candles_changed([candle], EventTimes(None, now_ns()))
        return [(0, 1.0, 2.0, 1.0, 2.0, 5.0)]


async def test_an_answer_of_before_its_end_does_not_replace_a_candle(bus: Bus) -> None:
    """The stream has brought its last trades meanwhile: nothing would ever bring them again."""
    name = StreamName(Tenant("T"), X, Action("watchOHLCV"), SYMBOL)
    unit = StreamUnitConfig(name, Credentials(), 1_000, 60.0, checksum_every=1, timeframes=(("1m", 10),))
    exchange = cast(Exchange, SimpleNamespace(market=OldAnswer(), profile=ExchangeProfile(exchange=X)))
    health = UnitHealthReporter("candles", changed=lambda: None, errors=ErrorLog())
    is_live = asyncio.Event()
    follower = bus.follow(name, lambda _update: is_live.set() if follower.status == "live" else None)
    running = asyncio.create_task(run_stream(stream_of(unit, exchange, bus, health)))
    try:
        async with asyncio.timeout(60):
            await is_live.wait()
        candles = cast(CandlesState, follower.state).timeframes["1m"]
        assert [(candle[4], candle[5]) for candle in candles.values()] == [(3.0, 9.0), (3.0, 1.0)]
    finally:
        running.cancel()
        await asyncio.wait([running])
        await follower.close()


async def test_candles_end_as_the_exchanges_do_though_frames_are_lost_and_late(
    bus: Bus, line: Any, simulator: Server
) -> None:
    """The last frame of each is lost, the first comes again after the next one's: none goes back or stays short."""
    former = ["{}"]

    def disturbed(frame: str) -> list[str]:
        if '"e":"kline"' not in frame:
            return [frame]
        if '"x":true' in frame:
            return []
        late, former[0] = former[0], frame
        return [frame, late]

    line.treat = disturbed
    symbol, opened = Symbol("ETH/BTC"), await open_exchange("binance", Credentials(urls={"base": line.url}))
    history = replace(opened.profile.history, candles_again_s=0.5)
    opened.profile = replace(opened.profile, history=history)  # type: ignore[misc]
    name = StreamName(Tenant("T"), ExchangeId("binance"), Action("watchOHLCV"), symbol)
    unit = StreamUnitConfig(name, Credentials(), 1_000, 60.0, checksum_every=1, timeframes=(("1s", 10),))
    health, arrived = UnitHealthReporter("candles", changed=lambda: None, errors=ErrorLog()), asyncio.Event()
    volumes: dict[int, list[float]] = {}

    def take(update: Update) -> None:
        if update.kind == "delta":
            for candle in update.data.candles:
                volumes.setdefault(candle[0], []).append(candle[5])
        arrived.set()

    follower = bus.follow(name, take)
    running = asyncio.create_task(run_stream(stream_of(unit, opened, bus, health)))

    async def wrong() -> list[Candle]:
        """Return the ended candles of some seconds that are others at the exchange."""
        begin_ms = min(volumes) + 3_000
        theirs = await opened.market.fetch_candles(symbol, "1s", 4, begin_ms)
        ours = cast(CandlesState, follower.state).timeframes["1s"]
        return [candle for candle in theirs if ours.get(candle[0]) != candle]

    try:
        async with asyncio.timeout(60):
            while len(volumes) < 10:
                arrived.clear()
                await arrived.wait()
            while await wrong():
                arrived.clear()
                await arrived.wait()
        assert all(each == sorted(each) for each in volumes.values())
    finally:
        running.cancel()
        await asyncio.wait([running])
        await follower.close()
        await opened.close()


async def test_candles_that_the_exchange_no_longer_returns_are_counted(bus: Bus) -> None:
    """Nothing fills the hole: the heartbeat says so, and what the exchange has follows."""
    newest_ms = now_ms() // MINUTE_MS * MINUTE_MS
    name = StreamName(Tenant("T"), X, Action("watchOHLCV"), SYMBOL)
    known = {"1m": [(newest_ms - 60 * MINUTE_MS, 1.0, 1.0, 1.0, 1.0, 1.0)]}
    before = bus.writer(name, lambda as_of: CandlesSnapshot(known, str(as_of)))
    await before.open()
    await before.close()
    unit = StreamUnitConfig(name, Credentials(), 1_000, 60.0, checksum_every=1, timeframes=(("1m", 10),))
    exchange = cast(Exchange, SimpleNamespace(market=NewestAlone(newest_ms), profile=ExchangeProfile(exchange=X)))
    errors, arrived = ErrorLog(), asyncio.Event()
    health = UnitHealthReporter("candles", changed=lambda: None, errors=errors)

    def look(_update: Update) -> None:
        # What the exchange has comes as a change, or with the snapshot, if that was taken later.
        if newest_ms in cast(CandlesState, follower.state).timeframes.get("1m", {}):
            arrived.set()

    follower = bus.follow(name, look)
    running = asyncio.create_task(run_stream(stream_of(unit, exchange, bus, health)))
    try:
        async with asyncio.timeout(60):
            await arrived.wait()
        assert health.report().counters["lost"] == 1
        assert [report.message for report in errors.reports()] == [LOST]
    finally:
        running.cancel()
        await asyncio.wait([running])
        await follower.close()
