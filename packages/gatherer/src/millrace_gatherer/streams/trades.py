"""Trades, public ones and our own: each exactly once, holes filled by asking."""

import asyncio
from abc import abstractmethod
from typing import Final, NoReturn, cast

import structlog

from millrace_bus import Bus, Published
from millrace_core.clock import now_ns
from millrace_core.market import Trade, TradesDelta, TradesSnapshot
from millrace_core.names import Symbol
from millrace_core.states import TradesState
from millrace_exchange import Event, ExchangeError, Fatal, Feed
from millrace_gatherer.streams.stream import Stream
from millrace_gatherer.streams.trade_sequence import TradeSequence
from millrace_gatherer.units import StreamUnit
from millrace_service import UnitHealthReporter
from millrace_service.tasks import run_all

log = structlog.get_logger()

NUMBERED: Final = frozenset({"binance"})
"""Exchanges that number each symbol's public trades consecutively."""
SUBSCRIBING_S: Final = 1.0
"""How long the first trade of a new subscription is waited for before asking for what it may have missed."""
MOST_TIMES_IN_VAIN: Final = 5
"""How often a hole is asked for without any answer filling more of it, before it is given up."""
IN_VAIN_PAUSE_S: Final = 0.2
FULL_PAGE: Final = 100
"""So many trades in one answer may not be all: exchanges give 100 to 1,000 at a time."""


class TradesStream(Stream):
    """Trades of one symbol. While a hole is being filled, what arrives is held back, so that order is kept."""

    resumes = True
    poll_s: float | None = None
    """How often to ask even without a hole; None where holes show themselves."""
    pages = False
    """Whether asking for what comes after a trade gives the oldest first, so that it is asked for page by page."""

    def __init__(self, unit: StreamUnit, symbol: Symbol, bus: Bus, health: UnitHealthReporter) -> None:
        self.symbol = symbol
        self._sequence = TradeSequence(consecutive=self._is_numbered(unit))
        self._held: list[Trade] = []
        self._filling = True
        self._wanted = asyncio.Event()
        self._resumed = 0
        """How often the sequence became that of what was published."""
        super().__init__(unit, bus, health)

    @abstractmethod
    async def subscribe(self, feed: Feed) -> NoReturn:
        """Follow the exchange's own stream."""

    @abstractmethod
    async def ask(self, feed: Feed, after: Trade | None) -> list[Trade]:
        """Ask for the trades after one, or the newest."""

    def _is_numbered(self, unit: StreamUnit) -> bool:
        return False

    async def follow(self, feed: Feed) -> None:
        """Follow the stream, and ask for whatever it did not bring."""
        self._filling = True
        self._held.clear()
        self._wanted.clear()
        await run_all(self.subscribe(feed), self._fill_holes(feed))

    def take_snapshot(self, as_of: str) -> TradesSnapshot:
        """Return the newest trades."""
        return TradesSnapshot(trades=list(self._sequence.newest), as_of=as_of)

    def resume(self, published: Published) -> None:
        """Count as published what was; trades beyond it that are still held here need not be asked for."""
        self._held = [*self._sequence.newest, *self._held]
        earlier = [trade for delta in published.deltas for trade in cast(TradesDelta, delta).trades]
        self._sequence.restart(cast(TradesState, published.state).trades, earlier)
        self._filling = True
        self._resumed += 1
        if self.known.is_set():
            self._wanted.set()

    def traded(self, trades: list[Trade], event: Event) -> None:
        """Publish new trades, or hold them back behind a hole."""
        self.heard()
        if self._filling:
            self._held += trades
        elif fresh := self._sequence.unseen(trades):
            if not self._sequence.missing_before(fresh):
                self._add(fresh, event)
                return
            self._filling = True
            self._held = fresh
        self._wanted.set()

    def _add(self, trades: list[Trade], event: Event, *, is_live: bool = True) -> None:
        self._sequence.add(trades)
        self.publish(TradesDelta(trades=trades), event, is_live=is_live)

    async def _fill_holes(self, feed: Feed) -> NoReturn:
        wait_s: float | None = SUBSCRIBING_S
        await self.known.wait()
        while True:
            try:
                async with asyncio.timeout(wait_s):
                    await self._wanted.wait()
            except TimeoutError:
                self._filling = True
            self._wanted.clear()
            wait_s = self.poll_s if await self._fill(feed) else SUBSCRIBING_S

    async def _fill(self, feed: Feed) -> bool:
        """Ask until nothing is missing up to what is held back, and let that go; False if the asking failed."""
        in_vain, fresh = 0, list[Trade]()
        try:
            while in_vain < MOST_TIMES_IN_VAIN:
                resumed, last = self._resumed, self._sequence.last
                asked = await self.ask(feed, last)
                if resumed != self._resumed:
                    # What was asked for is not what is missing now.
                    continue
                self._suspect(asked)
                fresh = self._sequence.unseen([*asked, *self._held])
                run = [] if self._sequence.missing_before(fresh) else self._sequence.run(fresh)
                self._publish(run)
                fresh = fresh[len(run) :]
                if not fresh and not (self.pages and len(asked) >= FULL_PAGE and run):
                    break
                # What the stream told already may take a moment until it can be asked for.
                in_vain = 0 if run else in_vain + 1
                await asyncio.sleep(0 if run else IN_VAIN_PAUSE_S)
        except Fatal:
            raise
        except ExchangeError as error:
            self.health.error(error)
            return False
        self._publish(self._sequence.unseen([*fresh, *self._held]))
        self._held = []
        self._filling = False
        self.live()
        return True

    def _publish(self, trades: list[Trade]) -> None:
        """Publish trades, of which some may be missing before or between."""
        while trades:
            if missing := self._sequence.missing_before(trades):
                self.health.count("lost", missing)
                log.error("trades were lost: the exchange does not give them any more", missing=missing)
            run = self._sequence.run(trades)
            self._add(run, Event(run[-1].timestamp, now_ns()), is_live=False)
            trades = trades[len(run) :]

    def _suspect(self, asked: list[Trade]) -> None:
        if self._sequence.may_miss_before(asked):
            self.health.count("lost")
            log.error("trades were lost, nobody knows how many: the exchange does not give them any more")


class PublicTradesStream(TradesStream):
    """The trades of a market."""

    def _is_numbered(self, unit: StreamUnit) -> bool:
        return unit.name.exchange in NUMBERED

    async def subscribe(self, feed: Feed) -> NoReturn:
        """Follow ccxt's trades of the symbol."""
        await feed.trades(self.symbol, self)

    async def ask(self, feed: Feed, after: Trade | None) -> list[Trade]:
        """Ask for a thousand trades."""
        return await feed.fetch_trades(self.symbol, after)


class MyTradesStream(TradesStream):
    """The account's own trades in a market."""

    # Snapshots of trades are stored nowhere, and none of the account's may be missing in its history.
    begins_empty = True
    poll_s = 30.0
    pages = True

    async def subscribe(self, feed: Feed) -> NoReturn:
        """Follow ccxt's own trades in the symbol."""
        await feed.my_trades(self.symbol, self)

    async def ask(self, feed: Feed, after: Trade | None) -> list[Trade]:
        """Ask for the newest, or for those since the newest known."""
        return await feed.fetch_my_trades(self.symbol, None if after is None else after.timestamp)
