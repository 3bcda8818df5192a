"""Candles of one symbol, in all wanted timeframes."""

import asyncio
from collections.abc import Callable, Sequence
from math import inf
from typing import ClassVar, Final, NoReturn, cast

import msgspec
import structlog

from millrace_bus import Bus, Published
from millrace_core.actions import CANDLES, StreamAction
from millrace_core.clock import now_ns
from millrace_core.intervals import Interval
from millrace_core.market import Candle, CandlesDelta, CandlesSnapshot
from millrace_core.states import KEPT_CANDLES, CandlesState
from millrace_exchange import EventTimes, Exchange, Retryable
from millrace_gatherer.streams.readable import Readable, is_possible_candle
from millrace_gatherer.streams.stream import Stream
from millrace_gatherer.units import StreamUnitConfig
from millrace_service import UnitHealthReporter
from millrace_service.tasks import run_all

ASKED_AT_ONCE: Final = 500
"""Candles of one question about an outage; every exchange answers with fewer or so many."""
MOST_QUESTIONS: Final = 200
"""About one outage: candles of 1m for some two months."""
LOST: Final = "candles may be lost: the exchange does not return those of so long ago"

log = structlog.get_logger()


class _TimeframeListener:
    """Receives the candles of one timeframe."""

    def __init__(self, timeframe: str, take: Callable[[str, Sequence[Candle], EventTimes], None]) -> None:
        self._timeframe = timeframe
        self._take = take

    def candles_changed(self, candles: Sequence[Candle], event: EventTimes) -> None:
        self._take(self._timeframe, candles, event)


class CandlesStream(Stream):
    """The candles of one symbol; after each connect those since the last known are asked for: none is missing."""

    action: ClassVar[StreamAction] = CANDLES
    resumes = True
    # Snapshots of candles are stored nowhere, and those that the exchange sends at the start are history too.
    begins_empty = True

    def __init__(self, unit: StreamUnitConfig, exchange: Exchange, bus: Bus, health: UnitHealthReporter) -> None:
        self._candles: dict[str, dict[int, Candle]] = {name: {} for name, _ in unit.timeframes}
        self._readable = Readable(msgspec.json.Decoder(Candle), health, is_possible_candle)
        self._streamed: dict[str, tuple[int, int]] = {}
        """The first and the newest candle that the stream itself brought, by timeframe."""
        self._known_until: dict[str, int] = {}
        """The newest candle that was known before the stream was followed, or resumed, by timeframe."""
        self._ended: dict[str, int] = {}
        """The first candle that the stream has left for a newer one, of those not asked for since, by timeframe."""
        super().__init__(unit, exchange, bus, health)

    async def follow(self) -> None:
        """Follow the exchange's candles of every timeframe."""
        self._begin()
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
        self._begin()

    def take_snapshot(self, as_of: str) -> CandlesSnapshot:
        """Return the newest candles of each timeframe."""
        timeframes = {name: [candles[opened] for opened in sorted(candles)] for name, candles in self._candles.items()}
        return CandlesSnapshot(timeframes=timeframes, as_of=as_of)

    def _begin(self) -> None:
        self._streamed.clear()
        self._ended.clear()
        self._known_until = {name: max(candles) for name, candles in self._candles.items() if candles}

    async def _keep_whole(self) -> NoReturn:
        await self.known.wait()
        while True:
            self.wake.clear()
            await self._ask()
            await self._until_woken()

    async def _until_woken(self) -> None:
        """Ask for what ended now and then, until all is to be asked for: the last frames of a candle may be lost."""
        again_s = self.exchange.profile.history.candles_again_s
        while not self.wake.is_set():
            try:
                async with asyncio.timeout(again_s):
                    await self.wake.wait()
            except TimeoutError:
                await self._ask_for_ended()

    async def _ask_for_ended(self) -> None:
        for name, first_ms in list(self._ended.items()):
            asked = self.exchange.market.fetch_candles(self.symbol, name, ASKED_AT_ONCE, first_ms)
            try:
                candles = self._readable.only(await asked)
            except Retryable as error:
                self.health.error(error)
                await asyncio.sleep(error.retry_after_s)
                return
            del self._ended[name]
            self._answered(name, candles)

    async def _ask(self) -> None:
        for name, limit in self.unit.timeframes:
            candles = self._readable.only(await self.exchange.market.fetch_candles(self.symbol, name, limit))
            if candles:
                await self._ask_before(name, candles[0][0])
            self._answered(name, candles)
        self.live()

    async def _ask_before(self, timeframe: str, first_ms: int) -> None:
        """Ask for the candles between those that were known and the first of an answer, after a long outage."""
        known_ms, interval = self._known_until.get(timeframe), Interval.parse(timeframe)
        for _ in range(MOST_QUESTIONS):
            if known_ms is None or (since_ms := interval.next_open(known_ms)) >= first_ms:
                return
            asked = self.exchange.market.fetch_candles(self.symbol, timeframe, ASKED_AT_ONCE, since_ms)
            page = self._readable.only(await asked)
            self._answered(timeframe, [candle for candle in page if known_ms < candle[0] < first_ms])
            last_ms = max((candle[0] for candle in page), default=0)
            if last_ms <= known_ms or (last_ms >= first_ms and min(candle[0] for candle in page) > since_ms):
                # It has the newest only. (Where intervals without trades have no candle, it may have none.)
                break
            known_ms = last_ms
        self.health.count("lost")
        self.health.error(LOST)
        log.error(LOST, symbol=self.symbol, timeframe=timeframe)

    def _answered(self, timeframe: str, candles: Sequence[Candle]) -> None:
        answered = [candle for candle in candles if self._tells_more(timeframe, candle)]
        self._publish_changed(timeframe, answered, EventTimes(None, now_ns()), is_live=False)

    def _tells_more(self, timeframe: str, answered: Candle) -> bool:
        """Tell whether an answer may know more of a candle than the stream, which may have ended it meanwhile."""
        first, newest = self._streamed.get(timeframe, (inf, inf))
        known = self._candles[timeframe].get(answered[0])
        # Of a candle that is still open the stream knows more; what was traded in one that ended never becomes less.
        return answered[0] != newest and (known is None or answered[0] < first or answered[5] > known[5])

    def _received(self, timeframe: str, candles: Sequence[Candle], event: EventTimes) -> None:
        self.on_message()
        if readable := [each for each in self._readable.only(candles) if not self._is_late(timeframe, each)]:
            # Exchanges may send older ones again.
            seen = [*self._streamed.get(timeframe, ())]
            opened = [candle[0] for candle in readable]
            self._streamed[timeframe] = min(opened + seen[:1]), max(opened + seen[1:])
            if seen and seen[1] < max(opened):
                self._ended.setdefault(timeframe, seen[1])
            self._publish_changed(timeframe, readable, event, is_live=True)

    def _is_late(self, timeframe: str, streamed: Candle) -> bool:
        """Tell whether a message was overtaken by one that knows more of its candle."""
        first, newest = self._streamed.get(timeframe, (inf, -inf))
        known = self._candles[timeframe].get(streamed[0])
        return known is not None and first <= streamed[0] <= newest and streamed[5] < known[5]

    def _publish_changed(self, timeframe: str, candles: Sequence[Candle], event: EventTimes, *, is_live: bool) -> None:
        known = self._candles[timeframe]
        changed = [candle for candle in candles if known.get(candle[0]) != candle]
        if not changed:
            return
        known.update((candle[0], candle) for candle in changed)
        while len(known) > KEPT_CANDLES:
            del known[min(known)]
        self.publish(CandlesDelta(timeframe=timeframe, candles=changed), event, is_live=is_live)
