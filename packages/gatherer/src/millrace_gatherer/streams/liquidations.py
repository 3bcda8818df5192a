"""Liquidations of one symbol: each once, in order, and the times told in which some may be missing."""

import asyncio
from collections import Counter, deque
from collections.abc import Iterable
from typing import ClassVar, Final, NoReturn, cast

import msgspec
import structlog

from millrace_bus import Bus, Published
from millrace_core.actions import LIQUIDATIONS, StreamAction
from millrace_core.clock import now_ns
from millrace_core.contract_states import KEPT_LIQUIDATIONS, LiquidationsState
from millrace_core.market import Liquidation, LiquidationsDelta, LiquidationsSnapshot
from millrace_exchange import EventTimes, Exchange
from millrace_gatherer.streams.readable import Readable
from millrace_gatherer.streams.stream import Stream
from millrace_gatherer.units import StreamUnitConfig
from millrace_service import UnitHealthReporter
from millrace_service.tasks import run_all

log = structlog.get_logger()

UNPROVED: Final = "liquidations have no numbers, and the exchange answers no question about them"
MISSED: Final = "liquidations may be lost: those of the time in which the stream was not followed"
BEYOND: Final = "liquidations may be lost: what the exchange answers begins after the last one published"
SUBSCRIBED_S: Final = 15.0
"""Without a failure for so long, a subscription stands: a connection fails sooner. Its first message may take days."""


class LiquidationsStream(Stream):
    """Liquidations of one symbol, which nothing numbers."""

    action: ClassVar[StreamAction] = LIQUIDATIONS
    resumes = True
    begins_empty = True
    may_rest = True

    def __init__(self, unit: StreamUnitConfig, exchange: Exchange, bus: Bus, health: UnitHealthReporter) -> None:
        self._newest: deque[Liquidation] = deque(maxlen=KEPT_LIQUIDATIONS)
        self._readable = Readable(msgspec.json.Decoder(Liquidation), health)
        self._is_asked_for = exchange.poll_interval_s(LIQUIDATIONS) is not None
        self._was_followed = self._stands = False
        """Whether it was followed before, and whether its subscription stands."""
        self._held: list[Liquidation] = []
        """Those that are to be published again."""
        super().__init__(unit, exchange, bus, health)

    async def follow(self) -> None:
        """Follow the exchange's liquidations of the symbol."""
        await self.known.wait()
        if self._was_followed and not self._is_asked_for:
            self._lost(MISSED)
        self._was_followed, self._stands = True, False
        following = self.exchange.market.liquidations(self.symbol, self)
        await (following if self._is_asked_for else run_all(following, self._subscribed()))

    def take_snapshot(self, as_of: str) -> LiquidationsSnapshot:
        """Return the newest liquidations."""
        return LiquidationsSnapshot(liquidations=list(self._newest), as_of=as_of)

    def resume(self, published: Published) -> None:
        """Restore the published liquidations; those that are known here and were lost there follow."""
        kept = cast(LiquidationsState, published.state).liquidations
        # What is asked for comes again by itself.
        self._held = [] if self._is_asked_for else _without(kept, self._newest)
        self._newest.clear()
        self._newest.extend(kept)
        self._was_followed |= bool(self._newest)

    async def work(self) -> NoReturn:
        """Publish what was lost on the way to Redis."""
        while True:
            await self.wake.wait()
            self.wake.clear()
            self._add([], EventTimes(None, now_ns()), is_live=False)
            if self._stands:
                self.live(UNPROVED)

    def liquidated(self, liquidations: list[Liquidation], event: EventTimes) -> None:
        """Publish those that were not yet."""
        self.on_message()
        readable = self._readable.only(liquidations)
        new = self._unpublished(readable) if self._is_asked_for else readable
        self._add(new, event, is_live=not self._is_asked_for)
        self._stands = not self._is_asked_for
        self.live(UNPROVED if self._stands else None)

    def _add(self, liquidations: list[Liquidation], event: EventTimes, *, is_live: bool) -> None:
        new, self._held = [*self._held, *liquidations], []
        if new:
            self._newest.extend(new)
            self.publish(LiquidationsDelta(liquidations=new), event, is_live=is_live)

    def _unpublished(self, answered: list[Liquidation]) -> list[Liquidation]:
        """Return those of an answer, oldest first, that are new."""
        new = _without(self._newest, answered)
        if self._newest and answered and len(new) == len(answered):
            self._lost(BEYOND)
        if len(self._newest) < KEPT_LIQUIDATIONS:
            return new
        # Whether those from before the kept ones were published is not known.
        return [one for one in new if (one.timestamp or 0) >= (self._newest[0].timestamp or 0)]

    def _lost(self, why: str) -> None:
        self.health.count("lost")
        self.health.error(why)
        log.error(why)

    async def _subscribed(self) -> None:
        await asyncio.sleep(SUBSCRIBED_S)
        self._stands = True
        self.live(UNPROVED)


def _without(known: Iterable[Liquidation], liquidations: Iterable[Liquidation]) -> list[Liquidation]:
    """Return those that are not known, in order; nothing but their number tells two apart that are alike."""
    left = Counter(known)
    new = []
    for one in liquidations:
        if left[one]:
            left[one] -= 1
        else:
            new.append(one)
    return new
