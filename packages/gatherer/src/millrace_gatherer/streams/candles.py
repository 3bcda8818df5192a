"""Candles of one symbol, of as many timeframes as are wanted."""

from collections.abc import Sequence
from typing import NoReturn, cast

from millrace_bus import Bus, Published
from millrace_core.clock import now_ns
from millrace_core.market import Candle, CandlesDelta, CandlesSnapshot
from millrace_core.names import Symbol
from millrace_core.states import KEPT_CANDLES, CandlesState
from millrace_exchange import Event, Feed
from millrace_gatherer.streams.stream import Stream
from millrace_gatherer.units import StreamUnit
from millrace_service import UnitHealthReporter
from millrace_service.tasks import run_all


class _Timeframe:
    """One timeframe's candles, told of by the exchange."""

    def __init__(self, stream: "CandlesStream", name: str) -> None:
        self._stream = stream
        self._name = name

    def candles_changed(self, candles: Sequence[Candle], event: Event) -> None:
        self._stream.take(self._name, candles, event)


class CandlesStream(Stream):
    """The candles of one symbol; after each connect the newest are asked for, so that none is missing."""

    resumes = True
    # Snapshots of candles are stored nowhere, and those that the exchange gives at the start are history too.
    begins_empty = True

    def __init__(self, unit: StreamUnit, symbol: Symbol, bus: Bus, health: UnitHealthReporter) -> None:
        self._symbol = symbol
        self._candles: dict[str, dict[int, Candle]] = {name: {} for name, _ in unit.timeframes}
        self._told: dict[str, int] = {}
        """The newest candle that the stream has told of by itself, by timeframe."""
        super().__init__(unit, bus, health)

    async def follow(self, feed: Feed) -> None:
        """Follow ccxt's candles of every timeframe."""
        self._told.clear()
        streams = [feed.candles(self._symbol, name, _Timeframe(self, name)) for name, _ in self.unit.timeframes]
        await run_all(*streams, self._keep_whole(feed))

    def resume(self, published: Published) -> None:
        """Hold the candles that were published; what is new or changed since is asked for."""
        state = cast(CandlesState, published.state)
        self._candles = {name: dict(state.timeframes.get(name, {})) for name in self._candles}
        self._told.clear()

    async def _keep_whole(self, feed: Feed) -> NoReturn:
        await self.known.wait()
        while True:
            self.wake.clear()
            await self._begin(feed)
            await self.wake.wait()

    async def _begin(self, feed: Feed) -> None:
        for name, limit in self.unit.timeframes:
            candles = await feed.fetch_candles(self._symbol, name, limit)
            # The stream's word on a candle that is still open is newer than the answer's.
            older = [candle for candle in candles if name not in self._told or candle[0] < self._told[name]]
            self.take(name, older, Event(None, now_ns()), is_live=False)
        self.live()

    def take_snapshot(self, as_of: str) -> CandlesSnapshot:
        """Return the newest candles of each timeframe."""
        timeframes = {name: [candles[opened] for opened in sorted(candles)] for name, candles in self._candles.items()}
        return CandlesSnapshot(timeframes=timeframes, as_of=as_of)

    def take(self, timeframe: str, candles: Sequence[Candle], event: Event, *, is_live: bool = True) -> None:
        """Publish the candles that are new or changed."""
        self.heard()
        known = self._candles[timeframe]
        if is_live and candles:
            self._told[timeframe] = max(candle[0] for candle in candles)
        changed = [candle for candle in candles if known.get(candle[0]) != candle]
        if not changed:
            return
        known.update((candle[0], candle) for candle in changed)
        while len(known) > KEPT_CANDLES:
            del known[min(known)]
        self.publish(CandlesDelta(timeframe=timeframe, candles=changed), event, is_live=is_live)
