"""A backtest: strategies run over recordings, on one virtual clock, against modelled exchanges.

The same recordings, settings and seed lead to the same result, in any process.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from math import inf
from typing import Final, NamedTuple

import msgspec

from millrace_backtest.errors import NothingRecorded
from millrace_backtest.exchange.latency import RecordedRequests, latency_of
from millrace_backtest.exchange.model import ExchangeModel
from millrace_backtest.exchange.orders import OwnFill
from millrace_backtest.feeds import MarketFeeds
from millrace_backtest.ledger import DrawdownMeter, Ledger
from millrace_backtest.playback import StreamPlayback, arrived
from millrace_backtest.recording.files import Recorded, Recording, merged
from millrace_backtest.recording.held import HeldMessage
from millrace_backtest.recording.lines import GapRecorded
from millrace_backtest.samples import Sample, Samples
from millrace_backtest.scan import Scan, scan
from millrace_backtest.settings import BacktestSettings
from millrace_backtest.strategies import OF_ACCOUNTS, BacktestedStrategy, StrategyRun
from millrace_backtest.timeline import Timeline
from millrace_bus import Update
from millrace_core.errors import InvalidMessage, InvalidName
from millrace_core.ids import RequestId
from millrace_core.messages import decode
from millrace_core.names import ExchangeId, StreamName, Symbol, Tenant, is_snapshot
from millrace_core.position import plain
from millrace_core.requests import OrderRequest

_PROGRESS_EVERY: Final = 20_000
_TURNS: Final = 20
"""Turns of the loop after which an asynchronous hook counts as waiting for something."""

Listening = Callable[[Update], None]


class DecidedRequest(msgspec.Struct, frozen=True):
    """A request that a strategy made."""

    at_ns: int
    tenant: Tenant
    request: OrderRequest


class _Player(NamedTuple):
    """What plays a stream, or its snapshots, and who listens."""

    playback: StreamPlayback
    is_snapshot: bool
    exchanges: Sequence[Listening]
    strategies: Sequence[Listening]
    """From the start on."""


class Backtest:
    """One run; `run` may be called once.

    Raises:
        NothingRecorded: the recordings hold no stream that a strategy follows, or nothing of the time of the settings.
        StrategyNotMade: a strategy's constructor raises.
        ClockStuck: in `run`, a strategy sets timers of 0 ms without end.
        LatencyUnreadable: the settings' latency has no form of one.
        ConfigInvalid: a strategy's settings have mistakes.
    """

    def __init__(
        self,
        plans: Sequence[BacktestedStrategy],
        sources: Sequence[Recording],
        settings: BacktestSettings,
        scanned: Scan | None = None,
    ) -> None:
        self.plans, self.settings = plans, settings
        self.scanned = scan(sources) if scanned is None else scanned
        self._check()
        self.ledger = Ledger()
        self.samples = Samples()
        self.drawdowns: dict[str, DrawdownMeter] = {}
        self.requests: list[DecidedRequest] = []
        self.messages = 0
        self._sources = sources
        self._timeline = Timeline(self.scanned.began_ns)
        self._request_numbers = count(1)
        self._hooks: set[asyncio.Task[None]] = set()
        self._is_started = False
        self.exchanges = ExchangeModel(
            self._timeline,
            latency_of(settings.latency, settings.seed, self._recorded_times),
            settings.fees,
            self._balances,
            self._price_of,
            self._filled,
        )
        self.runs = [self._strategy_run(plan) for plan in plans]
        self._feeds = MarketFeeds(self.exchanges, plans)
        self._players: dict[str, _Player | None] = {}
        """By the name of a stream, and of its snapshots; None where nobody listens."""

    async def run(self, on_progress: Callable[[int], None] = lambda _messages: None) -> None:
        """Play everything.

        Raises:
            RecordingUnreadable: a file is no recording.
        """
        since_ns, end_ns, timeline = self.settings.since_ns or 0, self.settings.end_ns, self._timeline
        for recorded in merged(self._sources):
            at_ns = recorded.at_ns
            if at_ns >= end_ns:
                break
            if not self._is_started and at_ns >= since_ns:
                self._start(at_ns)
            while timeline.next_ns <= at_ns:
                timeline.run_next()
                timeline.settle()
                if self._hooks:
                    await self._settle()
            if at_ns > timeline.now_ns:
                timeline.now_ns = at_ns
            self._take(recorded)
            if self._hooks:
                await self._settle()
            self.messages += 1
            if self.messages % _PROGRESS_EVERY == 0:
                on_progress(self.messages)
                await asyncio.sleep(0)  # lets Ctrl-C in
        await self._stop()
        on_progress(self.messages)

    def mid(self, exchange: ExchangeId, symbol: Symbol) -> Decimal | None:
        """Return the price half-way between best bid and ask, as it was recorded last."""
        book = self._feeds.book(exchange, symbol)
        if book is None:
            return None
        bid, ask = book.bids.best(), book.asks.best()
        if bid is None or ask is None:
            return None
        return (Decimal(repr(bid[0])) + Decimal(repr(ask[0]))) / 2

    def _check(self) -> None:
        self._check_times()
        followed = {str(plan.stream_name(stream)) for plan in self.plans for stream in plan.streams}
        if not followed & self.scanned.streams.keys():
            held = ", ".join(sorted(name for name in self.scanned.streams if not is_snapshot(name))) or "nothing"
            raise NothingRecorded(f"none of the strategies' streams is recorded; recorded are: {held}")

    def _check_times(self) -> None:
        since_ns, end_ns, scanned = self.settings.since_ns or 0, self.settings.end_ns, self.scanned
        if since_ns >= end_ns:
            raise NothingRecorded("the end is not after the beginning")
        if scanned.messages and (since_ns > scanned.ended_ns or end_ns <= scanned.began_ns):
            raise NothingRecorded(
                f"the recordings hold nothing of that time: they are from {_utc(scanned.began_ns)} "
                f"to {_utc(scanned.ended_ns)} UTC"
            )

    def _start(self, at_ns: int) -> None:
        self._is_started = True
        self._timeline.now_ns = at_ns
        for run in self.runs:
            run.runtime.start()
            self._timeline.settle()
            self._show_balances(run)
        # As a strategy that joins streams which others follow already.
        for player in self._players.values():
            if player is not None and not player.is_snapshot:
                for update in player.playback.welcome():
                    for listen in player.strategies:
                        listen(update)
                    self._timeline.settle()
        self._timeline.at(self.samples.next_ns(at_ns), self._sample)

    def _show_balances(self, run: StrategyRun) -> None:
        for exchange in sorted({stream.exchange for stream in run.plan.streams}):
            balances = self.exchanges.account(run.plan.tenant, exchange).balances()
            if balances:
                run.balances_changed(exchange, balances, balances)

    async def _stop(self) -> None:
        """Stop the strategies; what they ask for at the end still reaches the exchanges."""
        for run in self.runs:
            run.note_unfinished()
            run.runtime.stop()
        self._timeline.settle()
        await self._settle()
        while self.exchanges.under_way and self._timeline.next_ns < inf:
            self._timeline.run_next()
            self._timeline.settle()
        self._sample_now()
        for run in self.runs:
            run.host.ended()
        for hook in self._hooks:
            hook.cancel()

    async def _settle(self) -> None:
        """Let asynchronous hooks run until they have returned or wait for something."""
        for _ in range(_TURNS):
            if not self._hooks:
                return
            await asyncio.sleep(0)
            self._timeline.settle()

    def _take(self, recorded: Recorded) -> None:
        try:
            player = self._players[recorded.name]
        except KeyError:
            player = self._players[recorded.name] = self._player(recorded.name)
        if player is None:
            return
        what = recorded.what
        updates = player.playback.message(what.arrived) if isinstance(what, HeldMessage) else _updates(player, recorded)
        for update in updates:
            for listen in player.exchanges:
                listen(update)
            if self._is_started:
                for listen in player.strategies:
                    listen(update)
                self._timeline.settle()

    def _player(self, name: str) -> "_Player | None":
        """Return what plays a stream, and who listens; None if nobody does."""
        try:
            stream = StreamName.parse(name)
        except InvalidName:
            return None
        if is_snapshot(name):
            deltas = str(stream)
            if deltas not in self._players:
                self._players[deltas] = self._player(deltas)
            player = self._players[deltas]
            return player and player._replace(is_snapshot=True, exchanges=(), strategies=())
        exchanges = list(self._feeds.listeners(stream, self._timeline))
        strategies = list(self._strategies_of(stream))
        if not exchanges and not strategies:
            return None
        return _Player(StreamPlayback(stream, self.scanned.began_ns), False, exchanges, strategies)

    def _strategies_of(self, name: StreamName) -> Iterator[Listening]:
        """Return the strategies' listeners of a stream; what is recorded of an account is not what a model does."""
        if name.action in OF_ACCOUNTS:
            return
        for run in self.runs:
            for stream in run.plan.followed:
                if run.plan.stream_name(stream) == name:
                    yield run.listener(stream)

    def _strategy_run(self, plan: BacktestedStrategy) -> StrategyRun:
        ids = (RequestId(f"{number:032x}") for number in self._request_numbers)
        run = StrategyRun(plan, self._timeline, self._hooks, new_request_id=lambda: next(ids), send=self._send)
        self.exchanges.reports.listen(plan.tenant, run)
        return run

    def _send(self, run: StrategyRun, request: OrderRequest) -> None:
        run.requests.append(request)
        self.requests.append(DecidedRequest(self._timeline.now_ns, run.plan.tenant, request))
        self.exchanges.send(run.plan.tenant, request, run.expected_price(request))

    def _filled(self, fill: OwnFill) -> None:
        self.ledger.count(fill)
        self._measure()

    def _measure(self) -> Mapping[str, Decimal]:
        equity = self.ledger.equity(self.mid)
        for currency, value in equity.items():
            self.drawdowns.setdefault(currency, DrawdownMeter()).take(self._timeline.now_ns, value)
        return equity

    def _sample(self) -> None:
        self._sample_now()
        self._timeline.at(self.samples.next_ns(self._timeline.now_ns), self._sample)

    def _sample_now(self) -> None:
        positions: dict[str, Decimal] = {}
        equity: dict[str, Decimal] = {}
        if self.ledger.positions:
            for holder, position in self.ledger.positions.items():
                market = f"{holder.exchange} {holder.symbol}"
                positions[market] = plain(positions.get(market, Decimal(0)) + position.quantity)
            equity = {currency: plain(value) for currency, value in self._measure().items()}
        self.samples.keep(Sample(self._timeline.now_ns, self._feeds.mids(), positions, equity))

    def _balances(self, tenant: Tenant, exchange: ExchangeId) -> Mapping[str, Decimal] | None:
        if self.settings.balances is not None:
            return self.settings.balances
        return self.scanned.balances.get((tenant, exchange))

    def _price_of(self, exchange: ExchangeId, currency: str, other: str) -> Decimal | None:
        return self.mid(exchange, Symbol(f"{currency}/{other}"))

    def _recorded_times(self) -> RecordedRequests:
        return {(plan.tenant, plan.name): self.scanned.times(plan.tenant, plan.name) for plan in self.plans}


def _utc(at_ns: int) -> str:
    return f"{datetime.fromtimestamp(at_ns // 1_000_000_000, UTC):%Y-%m-%d %H:%M:%S}"


def _updates(player: _Player, recorded: Recorded) -> Sequence[Update]:
    playback, what = player.playback, recorded.what
    try:
        if isinstance(what, GapRecorded):
            return () if player.is_snapshot else playback.gap()
        message = decode(what.body)
        if not player.is_snapshot:
            return playback.message(arrived(message, recorded.at_ns))
        playback.snapshot(message)
    except (InvalidMessage, InvalidName):
        pass
    return ()
