"""Public and own trades: each exactly once, gaps filled by asking."""

import asyncio
from abc import abstractmethod
from itertools import chain, takewhile
from typing import ClassVar, Final, NoReturn, cast

import msgspec
import structlog

from millrace_bus import Bus, Published
from millrace_core.actions import MY_TRADES, TRADES, StreamAction
from millrace_core.backoff import Backoff, BackoffPolicy
from millrace_core.clock import now_ns
from millrace_core.market import Trade, TradesDelta, TradesSnapshot
from millrace_core.states import TradesState
from millrace_exchange import EventTimes, Exchange, ExchangeError, ExchangeProfile, Fatal
from millrace_gatherer.streams.following import RECONCILE_S, question_pauses_s
from millrace_gatherer.streams.questions import QuestionTimer, account_timer, listed
from millrace_gatherer.streams.readable import Readable, is_possible_own_trade, is_possible_trade
from millrace_gatherer.streams.stream import Stream
from millrace_gatherer.streams.trade_sequence import TradeSequence
from millrace_gatherer.units import StreamUnitConfig
from millrace_service import UnitHealthReporter
from millrace_service.tasks import run_all

log = structlog.get_logger()

MAX_FRUITLESS: Final = 5
"""Answers in a row that may leave a gap unfilled before it is given up."""
FRUITLESS_PAUSE_S: Final = 0.2
ASK_AGAIN: Final = BackoffPolicy(first_s=0.5, limit_s=30.0)
"""Pauses after asking failed."""
LISTED_S: Final = 0.2
"""How soon after a streamed trade without its fee to ask for it: the exchange has to list it, and more may follow."""
UNLISTED_S: Final = 2.0
"""How long a streamed trade waits for its fee at most: while the exchange does not answer, it is told without."""
FEW: Final = 50
"""Trades to ask for where few can be missing: one that is asked for takes as long as several that are streamed."""
OVERLAP_MS: Final = 60_000
"""How far before the last complete answer to ask: the difference of two clocks, and how late a trade may be listed."""

BEYOND_REACH: Final = "own trades may be lost: the exchange does not answer for so long ago"
UNANSWERED: Final = "the exchange answers no question about trades: an interruption may hide some"
RENUMBERED: Final = "the exchange numbers its trades anew; following the new numbers"


class TradesStream(Stream):
    """Trades of one symbol. While a gap is being filled, new trades are held back, so that order is kept."""

    resumes = True
    poll_s: ClassVar[float | None] = None
    """How often to ask even if nothing comes; None for never."""

    def __init__(self, unit: StreamUnitConfig, exchange: Exchange, bus: Bus, health: UnitHealthReporter) -> None:
        self._sequence = self._new_sequence(exchange.profile)
        self._readable = Readable(msgspec.json.Decoder(Trade), health, self._is_possible)
        self._is_asked_for = exchange.poll_interval_s(self.action) is not None
        """Whether the exchange streams none, so that each message is an answer."""
        self._held: list[Trade] = []
        """What was streamed while a gap is being filled."""
        self._answers: list[list[Trade]] = []
        """What was answered meanwhile."""
        self._filling = True
        self._has_received = False
        """Whether the stream has brought something since it was last followed anew."""
        self._wanted = asyncio.Event()
        self._releasing: asyncio.TimerHandle | None = None
        """Ends the wait of all that is held back for its fees; None where it waits for what came before it too."""
        self._resumed = 0
        """How often the published sequence was restored."""
        super().__init__(unit, exchange, bus, health)
        self._questions = self._new_questions(self._wanted)

    @abstractmethod
    async def subscribe(self) -> None:
        """Follow the exchange's own stream."""

    @abstractmethod
    async def ask(self, after: Trade | None, *, few: bool) -> list[Trade]:
        """Ask for the trades after one, or the newest; `few` if only the last few can be missing."""

    @abstractmethod
    def _new_questions(self, wake: asyncio.Event) -> QuestionTimer:
        """Return when to ask for trades that the stream may have lost, beside gaps that show themselves."""

    @abstractmethod
    def _new_sequence(self, profile: ExchangeProfile) -> TradeSequence:
        """Return an empty sequence that knows what identifies a trade."""

    def _is_possible(self, trade: Trade) -> bool:
        """Tell whether a trade can have happened; where ids show what is missing it has a number."""
        has_number = not self._sequence.is_consecutive or (trade.id is not None and trade.id.isdecimal())
        return has_number and is_possible_trade(trade)

    def filled(self) -> None:
        """Note that nothing is missing up to the latest question."""

    @property
    def _unproved(self) -> str | None:
        """Why nothing proves that none is missing; None if something does."""
        return None

    def _says_all(self, streamed: Trade) -> bool:
        """Tell whether the stream said all of a trade that an answer would say."""
        return True

    async def follow(self) -> None:
        """Follow the stream, and ask for everything that it missed."""
        self._filling, self._has_received = True, False
        self._keep_holding()
        self._held.clear()
        self._answers.clear()
        self._wanted.clear()
        await run_all(self.subscribe(), self._fill_holes())

    def take_snapshot(self, as_of: str) -> TradesSnapshot:
        """Return the newest trades."""
        return TradesSnapshot(trades=list(self._sequence.newest), as_of=as_of)

    def resume(self, published: Published) -> None:
        """Restore the published sequence; newer trades that are still held here need not be asked for."""
        self._answers.append([*self._sequence.newest])
        earlier = [trade for delta in published.deltas for trade in cast(TradesDelta, delta).trades]
        self._sequence.restart(cast(TradesState, published.state).trades, earlier)
        self._filling = True
        self._keep_holding()
        self._resumed += 1
        self._wanted.set()

    def traded(self, trades: list[Trade], event: EventTimes) -> None:
        """Publish new trades, or hold them back behind a gap."""
        self.on_message()
        self._questions.received()
        trades = self._readable.only(trades)
        if self._filling or not self._has_received:
            # Nothing else tells that the subscription stands: what came before its first message is asked for.
            self._filling = self._has_received = True
            self._hold(trades)
        elif fresh := self._sequence.unseen(trades) if self._is_asked_for else self._sequence.unseen(streamed=trades):
            follows = self._sequence.follows(fresh)
            if follows and (self._is_asked_for or all(map(self._says_all, fresh))):
                self._add(fresh, event)
                return
            self._filling = True
            self._hold(fresh)
            if follows:
                loop = asyncio.get_running_loop()
                loop.call_later(LISTED_S, self._wanted.set)
                self._releasing = loop.call_later(UNLISTED_S, self._release)
                return
        elif self._sequence.begins_anew(trades):
            self._filling = True
            self._hold(trades)
        else:
            # All were published before; asking would bring nothing.
            return
        self._wanted.set()

    def _hold(self, trades: list[Trade]) -> None:
        if self._is_asked_for:
            self._answers.append(trades)
        else:
            self._held += trades

    def _release(self) -> None:
        """Publish what is held back for its fees alone: no answer has come meanwhile."""
        self._publish(self._sequence.unseen(streamed=self._held))
        self._held = []
        self._filling = False
        self._keep_holding()

    def _keep_holding(self) -> None:
        """Release nothing before it is answered."""
        if self._releasing is not None:
            self._releasing.cancel()
            self._releasing = None

    def _add(self, trades: list[Trade], event: EventTimes, *, is_live: bool = True) -> None:
        self._sequence.add(trades)
        self.publish(TradesDelta(trades=trades), event, is_live=is_live)

    async def _fill_holes(self) -> NoReturn:
        waits_s = question_pauses_s(self.poll_s)
        await self.known.wait()
        if self._wanted.is_set():
            self._wanted.clear()
            # What was just resumed, or has come already, is behind the exchange: readers wait for the difference.
            await self._fill_in_the_end()
        wait_s = next(waits_s)
        while True:
            await self._questions.wait(wait_s)
            self._questions.asking()
            await self._fill_in_the_end()
            wait_s = next(waits_s)

    async def _fill_in_the_end(self) -> None:
        """Ask until it succeeds, whatever arrives meanwhile: each trade shows again that others are missing."""
        backoff = Backoff(ASK_AGAIN)
        while True:
            try:
                await self._fill()
            except Fatal:
                raise
            except ExchangeError as error:
                self.health.error(error)
                await asyncio.sleep(backoff.failed(at_least_s=error.retry_after_s))
            else:
                return

    async def _fill(self) -> None:
        """Ask until nothing is missing before what is held back, then publish that.

        Raises:
            ExchangeError: asking failed.
        """
        fruitless, fresh = 0, list[Trade]()
        while fruitless < MAX_FRUITLESS:
            resumed, last = self._resumed, self._sequence.last
            # Where few do not reach back to the last one, the ids show it: the next answer holds as many as there are.
            few = not fruitless and self._misses_few()
            asked = self._readable.only(await self.ask(last, few=few))
            if resumed != self._resumed or self._begins_anew(asked):
                # What was asked for is not what is missing now.
                continue
            self._suspect(asked)
            fresh = self._sequence.unseen(asked, *self._answers, streamed=self._held)
            run = [] if self._sequence.missing_before(fresh) else self._sequence.run(fresh)
            run = self._answered(run)
            self._publish(run)
            fresh = fresh[len(run) :]
            if not fresh:
                self._held, self._answers = [], []
                break
            # What the stream brought already may take a moment until it can be asked for.
            fruitless = 0 if run else fruitless + 1
            await asyncio.sleep(0 if run and self._sequence.is_consecutive else FRUITLESS_PAUSE_S)
        self._publish(self._sequence.unseen(fresh, *self._answers, streamed=self._held))
        self._held, self._answers = [], []
        self._filling = False
        self._keep_holding()
        self.filled()
        self.live(self._unproved)

    def _answered(self, trades: list[Trade]) -> list[Trade]:
        """Return the leading ones of these that an answer has, or of which the stream said all."""
        streamed = {id(trade) for trade in self._held}
        return list(takewhile(lambda trade: id(trade) not in streamed or self._says_all(trade), trades))

    def _misses_few(self) -> bool:
        if not self._sequence.is_consecutive or self._sequence.last is None:
            return False
        return self._sequence.missing_before(self._held) < FEW if self._held else not self._filling

    def _publish(self, trades: list[Trade]) -> None:
        """Publish trades, of which some may be missing before or between."""
        while trades:
            if missing := self._sequence.missing_before(trades):
                self.health.count("lost", missing)
                log.error("trades were lost: the exchange no longer returns them", missing=missing)
            run = self._sequence.run(trades)
            self._add(run, EventTimes(run[-1].timestamp, now_ns()), is_live=False)
            trades = trades[len(run) :]

    def _begins_anew(self, asked: list[Trade]) -> bool:
        """Begin a new sequence if the exchange did, as one that was set up anew; tell whether it did."""
        if not self._sequence.begins_anew([*asked, *self._held, *chain(*self._answers)]):
            return False
        self._sequence.restart((), ())
        self.health.count("renumbered")
        self.health.error(RENUMBERED)
        log.error(RENUMBERED)
        return True

    def _suspect(self, asked: list[Trade]) -> None:
        if self._sequence.may_miss_before(asked):
            self.health.count("lost")
            log.error("trades may be lost: what the exchange returns begins after the last one published")


class PublicTradesStream(TradesStream):
    """The trades of a market."""

    action: ClassVar[StreamAction] = TRADES

    @property
    def silence_limit_ms(self) -> int | None:
        """Return how long a market may be without a trade."""
        return self.exchange.profile.silence.trades_ms

    def _new_questions(self, wake: asyncio.Event) -> QuestionTimer:
        return QuestionTimer(wake, lambda: self.exchange.profile.history.public_trades_again_s)

    def _new_sequence(self, profile: ExchangeProfile) -> TradeSequence:
        return TradeSequence(consecutive=profile.ids.numbers_public_trades)

    @property
    def _unproved(self) -> str | None:
        """Why nothing proves that none is missing; None if something does."""
        return None if self.exchange.profile.history.answers_public_trades else UNANSWERED

    async def subscribe(self) -> None:
        """Follow the exchange's trades of the symbol."""
        await self.exchange.market.trades(self.symbol, self)

    async def ask(self, after: Trade | None, *, few: bool) -> list[Trade]:
        """Ask for the newest trades, `few` or as many as the exchange answers, or for those after one where it can.

        Where it answers none, the first message after a subscription holds the newest.
        """
        if self._unproved is not None:
            return [*self._held]
        fetch = self.exchange.market.fetch_trades
        return await fetch(self.symbol, limit=FEW) if few else await fetch(self.symbol, after)


class MyTradesStream(TradesStream):
    """The account's own trades in a market."""

    action: ClassVar[StreamAction] = MY_TRADES
    # Snapshots of trades are stored nowhere, and none of the account's may be missing in its history.
    begins_empty = True
    poll_s = RECONCILE_S

    def __init__(self, unit: StreamUnitConfig, exchange: Exchange, bus: Bus, health: UnitHealthReporter) -> None:
        self._complete_until_ms = 0
        """Everything up to this moment of the exchange's time was published; 0 if that is not known."""
        self._asked_at_s = 0.0
        self._is_reported = False
        self._answers_tell_fees = True
        """Whether the exchange's answers tell fees, as far as is known."""
        super().__init__(unit, exchange, bus, health)

    def resume(self, published: Published) -> None:
        """Restore the published sequence; then ask for newer trades."""
        self._complete_until_ms = 0
        super().resume(published)

    def on_subscribed(self) -> None:
        """Ask for what happened before the exchange began to send the stream."""
        super().on_subscribed()
        self._wanted.set()

    def _new_questions(self, wake: asyncio.Event) -> QuestionTimer:
        return account_timer(self.exchange, self.symbol, wake)

    def _new_sequence(self, profile: ExchangeProfile) -> TradeSequence:
        return TradeSequence(consecutive=False, per_order=profile.ids.own_trade == "trade_and_order")

    async def subscribe(self) -> None:
        """Follow the exchange's own trades in the symbol."""
        self.is_subscribed = False
        await self.exchange.account.my_trades(self.symbol, self, self.on_subscribed)

    async def ask(self, after: Trade | None, *, few: bool) -> list[Trade]:
        """Ask for the newest, or for those since the last complete answer, or since shortly before the newest known.

        Never for those since the newest alone: one that the stream lost may have been made before it.
        """
        self._asked_at_s = self._clock()
        since_ms = None
        if after is not None:
            since_ms = self._complete_until_ms or (after.timestamp or 0) - OVERLAP_MS
            self._report_reach(since_ms)
        answered = await listed(self.exchange.account.fetch_my_trades(self.symbol, since_ms), self.health)
        if answered:
            self._answers_tell_fees = any(trade.charged for trade in answered)
        return answered

    def _report_reach(self, since_ms: int) -> None:
        """Report once that trades may be lost which were made longer ago than the exchange answers for."""
        reach_ms, asked_at_ms = self.exchange.profile.history.own_trades.reach_ms, self.exchange_ms_at(self._asked_at_s)
        if reach_ms is not None and since_ms < asked_at_ms - reach_ms and not self._is_reported:
            self._is_reported = True
            self.health.count("lost")
            self.health.error(BEYOND_REACH)
            log.error(BEYOND_REACH, since_ms=since_ms)

    def filled(self) -> None:
        """Ask from here on next time: asking from an old trade is expensive where one answer covers days."""
        self._complete_until_ms = self.exchange_ms_at(self._asked_at_s) - OVERLAP_MS

    def _is_possible(self, trade: Trade) -> bool:
        return is_possible_own_trade(trade)

    def _says_all(self, streamed: Trade) -> bool:
        """Tell whether a trade has its fee, or no answer would tell it: positions are made of it, and it comes once."""
        return bool(streamed.charged) or not self._answers_tell_fees

    def _suspect(self, asked: list[Trade]) -> None:
        # An answer from the last complete one on need not hold the newest trade that was published.
        last = self._sequence.last
        if last is None or (last.timestamp or 0) >= self._complete_until_ms:
            super()._suspect(asked)
