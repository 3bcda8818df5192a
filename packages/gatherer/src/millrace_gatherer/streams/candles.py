"""Candles of one symbol, in all wanted timeframes."""

from collections.abc import Callable, Sequence
from typing import ClassVar, NoReturn, cast

import msgspec

from millrace_bus import Bus, Published
from millrace_core.actions import CANDLES, StreamAction
from millrace_core.clock import now_ns
from millrace_core.market import Candle, CandlesDelta, CandlesSnapshot
from millrace_core.states import KEPT_CANDLES, CandlesState
from millrace_exchange import EventTimes, Exchange
from millrace_gatherer.streams.readable import Readable, is_possible_candle
from millrace_gatherer.streams.stream import Stream
from millrace_gatherer.units import StreamUnitConfig
from millrace_service import UnitHealthReporter
from millrace_service.tasks import run_all


class _TimeframeListener:
    """Receives the candles of one timeframe."""

    def __init__(self, timeframe: str, take: Callable[[str, Sequence[Candle], EventTimes], None]) -> None:
        self._timeframe = timeframe
        self._take = take

    def candles_changed(self, candles: Sequence[Candle], event: EventTimes) -> None:
        self._take(self._timeframe, candles, event)


class CandlesStream(Stream):
    """The candles of one symbol; after each connect the newest are asked for, so that none is missing."""

    action: ClassVar[StreamAction] = CANDLES
    resumes = True
    # Snapshots of candles are stored nowhere, and those that the exchange sends at the start are history too.
    begins_empty = True

    def __init__(self, unit: StreamUnitConfig, exchange: Exchange, bus: Bus, health: UnitHealthReporter) -> None:
        self._candles: dict[str, dict[int, Candle]] = {name: {} for name, _ in unit.timeframes}
        self._readable = Readable(msgspec.json.Decoder(Candle), health, is_possible_candle)
        self._newest_streamed: dict[str, int] = {}
        """The newest candle that the stream itself brought, by timeframe."""
        super().__init__(unit, exchange, bus, health)

    async def follow(self) -> None:
        """Follow the exchange's candles of every timeframe."""
        self._newest_streamed.clear()
        market = self.exchange.market
        streams = [
            market.candles(self.symbol, name, _TimeframeListener(name, self._received))
            for name, _ in self.unit.timeframes
        ]
        await run_all(*streams, self._keep_whole())

    def resume(self, published: Published) -> None:
        """Restore the published candles; then ask for new and changed ones."""
        state = cast(CandlesState, published.state)
        self._candles = {name: dict(state.timeframes.get(name, {})) for name in self._candles}
        self._newest_streamed.clear()

    def take_snapshot(self, as_of: str) -> CandlesSnapshot:
        """Return the newest candles of each timeframe."""
        timeframes = {name: [candles[opened] for opened in sorted(candles)] for name, candles in self._candles.items()}
        return CandlesSnapshot(timeframes=timeframes, as_of=as_of)

    async def _keep_whole(self) -> NoReturn:
        await self.known.wait()
        while True:
            self.wake.clear()
            await self._ask()
            await self.wake.wait()

    async def _ask(self) -> None:
        for name, limit in self.unit.timeframes:
            candles = await self.exchange.market.fetch_candles(self.symbol, name, limit)
            # Of a candle that is still open the stream knows more than the answer.
            newest = self._newest_streamed.get(name)
            answered = [candle for candle in self._readable.only(candles) if candle[0] != newest]
            self._publish_changed(name, answered, EventTimes(None, now_ns()), is_live=False)
        self.live()

    def _received(self, timeframe: str, candles: Sequence[Candle], event: EventTimes) -> None:
        self.on_message()
        if readable := self._readable.only(candles):
            # Exchanges may send older ones again.
            newest = max(candle[0] for candle in readable)
            self._newest_streamed[timeframe] = max(newest, self._newest_streamed.get(timeframe, newest))
            self._publish_changed(timeframe, readable, event, is_live=True)

    def _publish_changed(self, timeframe: str, candles: Sequence[Candle], event: EventTimes, *, is_live: bool) -> None:
        known = self._candles[timeframe]
        changed = [candle for candle in candles if known.get(candle[0]) != candle]
        if not changed:
            return
        known.update((candle[0], candle) for candle in changed)
        while len(known) > KEPT_CANDLES:
            del known[min(known)]
        self.publish(CandlesDelta(timeframe=timeframe, candles=changed), event, is_live=is_live)
