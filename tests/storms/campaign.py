"""One campaign: readers of everything that the gatherer shows, while faults come, and what they find."""

import asyncio
import time
from collections.abc import Callable
from typing import NoReturn

import aiohttp
from tests.storms.account import RIGHT_AGAIN_S, AccountWitness, Trader
from tests.storms.books import BookWitness
from tests.storms.dialects import DIALECTS, Stream
from tests.storms.faults import MUTE_S, StormyLine
from tests.storms.figures import Figures
from tests.storms.plan import TENANT, Plan
from tests.storms.standstill import Standstill
from tests.storms.trades import TradesWitness
from tests.storms.truth import TrueBook

from millrace_bus import Bus
from millrace_core.heartbeat import HEARTBEAT_INTERVAL_S
from millrace_core.names import Action, ExchangeId, StreamName, Symbol
from millrace_exchange import Retryable

SHOWN_WITHIN_S = 5.0
"""How long a silence of a busy stream may last until it is shown."""
_CHECK_S = 0.5
_ASK_S = 0.5
_PROGRESS_S = 10.0

Progress = Callable[[Figures], None]


class Campaign:
    """The parts of a running campaign."""

    def __init__(
        self,
        plan: Plan,
        line: StormyLine,
        bus: Bus,
        session: aiohttp.ClientSession,
        trader: Trader,
        own: AccountWitness,
    ) -> None:
        self.plan, self.line, self.bus = plan, line, bus
        self.figures = Figures()
        self.dialect = DIALECTS[plan.dialect]
        self._session, self._trader, self._own = session, trader, own
        self._standstill = Standstill()
        self._books: dict[str, BookWitness] = {}
        self._trades: dict[str, TradesWitness] = {}
        for symbol in plan.markets:
            market = self.dialect.market(symbol)
            truth = TrueBook(session, market)
            book = self._name("watchOrderBook", symbol)
            self._books[market] = BookWitness(bus, book, truth, self.figures.books, self._standstill)
            self._trades[market] = TradesWitness(
                bus, self._name("watchTrades", symbol), self.figures.trades, numbered=self.dialect.numbers_trades
            )
        self._watching: set[asyncio.Task[None]] = set()
        line.on_hole = lambda stream, last: self._books[stream.market].hole(last)
        line.on_silence = self._watch_silence

    async def run(self, progress: Progress) -> Figures:
        """Run until all frames have passed; return what was found."""
        await self._until_live()
        works = (self.line.break_sockets(), self._trader.run(), self._standstill.watch())
        disturbing = [asyncio.create_task(work) for work in works]
        try:
            await self._storm(disturbing, progress)
        finally:
            for task in disturbing:
                task.cancel()
            await asyncio.wait(disturbing)
        await self._check()
        await self._look_at_trades()
        return self.figures

    async def _storm(self, disturbing: "list[asyncio.Task[NoReturn]]", progress: Progress) -> None:
        begin, began_s, shown_s = self.line.frames, time.monotonic(), 0.0
        run_end = begin
        while self.figures.frames < self.plan.frames:
            if self.line.frames >= run_end:
                run_end = self.line.frames + self.plan.frames_a_run
                await self._end_run()
                self.line.is_calm = self._trader.is_calm = False
            await asyncio.sleep(_CHECK_S)
            for task in disturbing:
                if task.done():
                    task.result()
            await self._check()
            self.figures.frames, self.figures.seconds = self.line.frames - begin, time.monotonic() - began_s
            if time.monotonic() - shown_s > _PROGRESS_S:
                shown_s = time.monotonic()
                progress(self.figures)
        await self._end_run()

    async def close(self) -> None:
        """Stop reading."""
        for task in self._watching:
            task.cancel()
        witnesses = (*self._books.values(), *self._trades.values())
        for follower in (*(witness.follower for witness in witnesses), *self._own.followers):
            await follower.close()

    def _name(self, action: str, symbol: str) -> StreamName:
        return StreamName(TENANT, ExchangeId(self.plan.dialect), Action(action), Symbol(symbol))

    async def _until_live(self) -> None:
        async with asyncio.timeout(60):
            for witness in (*self._books.values(), *self._trades.values()):
                while not witness.is_live:
                    witness.changed.clear()
                    await witness.changed.wait()

    async def _check(self) -> None:
        self.figures.faults = dict(sorted(self.line.faults.items()))
        for book in self._books.values():
            book.measure()
            await book.check()

    async def _end_run(self) -> None:
        """Wait until the account is right, though the market goes on."""
        self.line.is_calm = self._trader.is_calm = True
        started_s = time.monotonic()
        while differences := await self._account_differences():
            if time.monotonic() - started_s > RIGHT_AGAIN_S:
                self.figures.account += differences
                break
            await asyncio.sleep(_ASK_S)
        else:
            self.figures.right_again_s.append(time.monotonic() - started_s)
        self._own.checked()
        self._trader.placed.clear()
        for market, trades in self._trades.items():
            await trades.check(self._session, market)

    async def _look_at_trades(self) -> None:
        """Compare the trades that are missing with those that the gatherer reported lost."""
        if any(trades.missing for trades in self._trades.values()):
            await asyncio.sleep(HEARTBEAT_INTERVAL_S + 1)  # until the next heartbeat says what was lost
        lost: dict[str, float] = {}
        for unit in [unit for heartbeat in await self.bus.heartbeats() for unit in heartbeat.units]:
            for name, count in unit.counters.items():
                if not name.startswith("left."):
                    self.figures.counters[name] = self.figures.counters.get(name, 0) + count
            lost[unit.name] = unit.counters.get("lost", 0)
        for trades in self._trades.values():
            missing, reported = len(trades.missing), lost.get(str(trades.name).removeprefix("stream."), 0)
            self.figures.missing_trades += missing
            if self.dialect.numbers_trades and reported < missing:
                self.figures.untold[str(trades.name)] = missing

    async def _account_differences(self) -> list[str]:
        try:
            return await self._own.differences(self._trader.placed)
        except Retryable as error:
            await asyncio.sleep(error.retry_after_s)
            return [f"the exchange cannot be asked: {error}"]

    def _watch_silence(self, stream: Stream, since_s: float) -> None:
        witness = {"book": self._books, "trades": self._trades}.get(stream.kind, {}).get(stream.market)
        if witness is not None and witness.is_live:
            task = asyncio.create_task(self._see_silence(stream, witness, since_s))
            self._watching.add(task)
            task.add_done_callback(self._watching.discard)

    async def _see_silence(self, stream: Stream, witness: BookWitness | TradesWitness, since_s: float) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(since_s + MUTE_S):
                while witness.is_live:
                    witness.changed.clear()
                    await witness.changed.wait()
            self.figures.silences_s.append(silent_s := loop.time() - since_s)
            if silent_s > SHOWN_WITHIN_S:
                self.figures.unseen_silences.append(f"{stream.kind} of {stream.market}: shown after {silent_s:.1f} s")
        except TimeoutError:
            self.figures.unseen_silences.append(f"{stream.kind} of {stream.market}: {MUTE_S:g} s of silence not shown")
