"""One campaign: the processes, the faults, the readers, and what is found."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from tests.storms.account import RIGHT_AGAIN_S, AccountWitness, Trader, open_account
from tests.storms.books import BookFigures, BookWitness
from tests.storms.dialects import DIALECTS, Dialect, Stream
from tests.storms.faults import MUTE_S, STORM, StormyLine, Weather
from tests.storms.trades import TradeFigures, TradesWitness
from tests.storms.truth import TrueBook
from tests.support.line.line import served

from millrace_bus import Bus, EmbeddedServer
from millrace_bus.server.ports import free_port
from millrace_core.names import Action, AgentId, ExchangeId, StreamName, Symbol, Tenant
from millrace_exchange import Retryable
from millrace_simulator.config import DEMO_ACCOUNT, Limits, SimulatorConfig
from millrace_simulator.listings import SYMBOLS

AGENT, TENANT = AgentId("GATHERER"), Tenant("T")
OWN = Symbol("KCS/USDT")
MARKETS = ("BTC/USDT", "ETH/USDT", "ETH/BTC", "KCS/USDT", "BNB/USDT", "SOL/USDT", "XRP/USDT", "ADA/USDT")
_CHECK_S = 0.5
_ASK_S = 0.5


@dataclass(frozen=True)
class Plan:
    """What a campaign is to be."""

    dialect: str = "binance"
    adapter: str = "native"
    frames: int = 5_000
    seed: int = 1
    weather: Weather = STORM
    markets: tuple[str, ...] = MARKETS
    events_per_second: float = 3_000
    frames_a_run: int = 50_000
    """After so many frames the faults pause until the account is right."""


@dataclass
class Figures:
    """What a campaign found."""

    frames: int = 0
    seconds: float = 0.0
    faults: dict[str, int] = field(default_factory=dict)
    books: BookFigures = field(default_factory=BookFigures)
    trades: TradeFigures = field(default_factory=TradeFigures)
    silences_s: list[float] = field(default_factory=list)
    """How long each silence of a busy stream lasted until it was shown."""
    unseen_silences: list[str] = field(default_factory=list)
    right_again_s: list[float] = field(default_factory=list)
    """How long after each run the account was right."""
    account: list[str] = field(default_factory=list)
    """What differed of the account in the end of a run."""
    missing_trades: int = 0
    """How many were never shown."""
    untold: dict[str, int] = field(default_factory=dict)
    """Those that were not reported lost although the exchange's numbers show them, by stream."""
    counters: dict[str, float] = field(default_factory=dict)
    """Those of the gatherer's heartbeat, summed over its units."""

    @property
    def violations(self) -> list[str]:
        """Return everything that must not be."""
        return [
            *self.books.wrong,
            *self.books.unnoticed,
            *self.trades.wrong,
            *self.unseen_silences,
            *self.account,
            *(f"{name}: {count} trades are missing and were not reported" for name, count in self.untold.items()),
        ]

    @property
    def live_percent(self) -> float:
        """Return how much of the time books were live."""
        return 100 * self.books.live_s / self.books.watched_s if self.books.watched_s else 0.0


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
        self._books: dict[str, BookWitness] = {}
        self._trades: dict[str, TradesWitness] = {}
        for symbol in plan.markets:
            market = self.dialect.market(symbol)
            truth = TrueBook(session, market)
            self._books[market] = BookWitness(bus, self._name("watchOrderBook", symbol), truth, self.figures.books)
            self._trades[market] = TradesWitness(
                bus, self._name("watchTrades", symbol), self.figures.trades, numbered=self.dialect.numbers_trades
            )
        self._watching: set[asyncio.Task[None]] = set()
        line.on_hole = lambda stream, last: self._books[stream.market].hole(last)
        line.on_silence = self._watch_silence

    async def run(self, progress: Progress) -> Figures:
        """Run until all frames have passed; return what was found."""
        await self._until_live()
        for book in self._books.values():
            book.measure()
        started_s, checked_s = time.monotonic(), 0.0
        breaking = [asyncio.create_task(self.line.break_sockets()), asyncio.create_task(self._trader.run())]
        begin = self.line.frames
        self._storm()
        run_end = begin + self.plan.frames_a_run
        while self.line.frames - begin < self.plan.frames:
            await asyncio.sleep(_CHECK_S)
            for task in breaking:
                if task.done():
                    task.result()
            await self._check()
            self.figures.frames, self.figures.seconds = self.line.frames - begin, time.monotonic() - started_s
            if self.line.frames >= run_end:
                run_end = self.line.frames + self.plan.frames_a_run
                await self._end_run()
                self._storm()
            if time.monotonic() - checked_s > 10:
                checked_s = time.monotonic()
                progress(self.figures)
        await self._end_run()
        for task in breaking:
            task.cancel()
        await asyncio.wait(breaking)
        await self._check()
        await self._look_at_trades()
        return self.figures

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

    def _storm(self) -> None:
        self.line.is_calm = self._trader.is_calm = False

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
        await asyncio.sleep(6)  # until the next heartbeat
        lost: dict[str, float] = {}
        for unit in [unit for heartbeat in await self.bus.heartbeats() for unit in heartbeat.units]:
            for name, count in unit.counters.items():
                if not name.startswith("left."):
                    self.figures.counters[name] = self.figures.counters.get(name, 0) + count
            lost[unit.name] = unit.counters.get("lost", 0)
        for trades in self._trades.values():
            missing, told = len(trades.missing), lost.get(str(trades.name).removeprefix("stream."), 0)
            self.figures.missing_trades += missing
            if self.dialect.numbers_trades and told < missing:
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
            self.figures.silences_s.append(loop.time() - since_s)
        except TimeoutError:
            self.figures.unseen_silences.append(f"{stream.kind} of {stream.market}: {MUTE_S:g} s of silence not shown")


def simulator_config(plan: Plan) -> SimulatorConfig:
    """Return the settings of a busy exchange that records everything."""
    dialect: Any = plan.dialect
    markets = {DIALECTS[plan.dialect].market(symbol) for symbol in plan.markets}
    return SimulatorConfig(
        dialect=dialect,
        seed=plan.seed,
        events_per_second=plan.events_per_second,
        depth_interval_ms=10,
        record=True,
        symbols=tuple(rules for rules in SYMBOLS[dialect] if rules.symbol in markets),
        accounts=(DEMO_ACCOUNT,),
        limits=Limits(weight_per_minute=600_000, public_weight_per_30_seconds=200_000),
    )


@asynccontextmanager
async def campaign(plan: Plan, folder: Path) -> AsyncIterator[Campaign]:
    """Start everything that a campaign needs."""
    async with AsyncExitStack() as stack:
        dialect = DIALECTS[plan.dialect]
        server = await stack.enter_async_context(await EmbeddedServer.start(folder / "redis"))
        port = free_port()
        config = folder / "simulator.json"
        config.write_bytes(msgspec.json.encode(simulator_config(plan)))
        arguments = ("millrace_simulator", "--config", str(config), "--port", str(port))
        await stack.enter_async_context(_process(folder, arguments))
        url = f"http://127.0.0.1:{port}"
        session = await stack.enter_async_context(aiohttp.ClientSession(url))
        await _until_reached(session)
        line = StormyLine(url, dialect, plan.weather, plan.seed)
        await stack.enter_async_context(served(line))
        bus = await stack.enter_async_context(Bus.connect(server.url, name="storms"))
        account = await open_account(dialect, url)
        stack.push_async_callback(account.close)
        own = AccountWitness(bus, account, ExchangeId(plan.dialect), TENANT, OWN)
        running = Campaign(plan, line, bus, session, Trader(account, OWN, plan.seed), own)
        stack.push_async_callback(running.close)
        await bus.put_config(AGENT, json.dumps(_gatherer_config(plan, dialect, line.url)))
        gatherer = ("millrace_gatherer", "--agent-id", AGENT)
        await stack.enter_async_context(_process(folder, gatherer, MILLRACE_REDIS_URL=server.url))
        yield running


def _gatherer_config(plan: Plan, dialect: Dialect, url: str) -> dict[str, Any]:
    account = {**dialect.credentials, "adapter": plan.adapter, "urls": {"base": url}}
    common = {"tenant": TENANT, "exchangeId": plan.dialect}
    plans = [
        {**common, "assetPairs": list(plan.markets), "dataPoints": ["watchOrderBook", "watchTrades"]},
        {**common, "assetPairs": [OWN], "dataPoints": ["watchOrders", "watchMyTrades", "watchBalance"]},
    ]
    return {"agent": {"id": AGENT}, "exchanges": {TENANT: {plan.dialect: account}}, "workplans": plans}


async def _until_reached(session: aiohttp.ClientSession) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                async with session.get("/simulator/status") as response:
                    response.raise_for_status()
                    return
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.05)  # nothing tells when another process listens


@asynccontextmanager
async def _process(folder: Path, arguments: tuple[str, ...], **environment: str) -> AsyncIterator[None]:
    with (folder / f"{arguments[0]}.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *arguments, env={**os.environ, **environment}, stdout=log, stderr=log
        )
    try:
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
