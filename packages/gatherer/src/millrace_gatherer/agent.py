"""The gatherer as an agent: plans the streams of a configuration, and runs each."""

import asyncio
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from millrace_bus import Bus
from millrace_core.actions import ORDERS
from millrace_core.config import GathererConfig
from millrace_core.errors import Problem
from millrace_gatherer.exchanges import SharedExchanges
from millrace_gatherer.feeds import SharedFeeds, SharedMarket, SharingExchange
from millrace_gatherer.listings import Account, AccountKey, Listings
from millrace_gatherer.patterns import is_pattern
from millrace_gatherer.streams import run_stream, stream_of
from millrace_gatherer.streams.answers import note_answers
from millrace_gatherer.streams.market import follow_market, report_source
from millrace_gatherer.streams.stream import Stream
from millrace_gatherer.units import Planned, StreamUnitConfig, check_capabilities, pattern_mistakes, plan
from millrace_service import Agent, UnitHealthReporter
from millrace_service.tasks import run_all


class GathererAgent(Agent[GathererConfig, StreamUnitConfig]):
    """Takes streams from exchanges; each is a unit, so that a change restarts what it touches only."""

    kind = "gatherer"
    config_model = GathererConfig

    def __init__(self) -> None:
        self._exchanges = SharedExchanges()
        self._feeds = SharedFeeds()
        self._listings = Listings(self._exchanges)
        self._planned: Planned | None = None
        """What was planned last; None before the first configuration."""
        self._overlaps: tuple[Problem, ...] = ()
        """Where its patterns ask for a stream with other settings than it has."""
        self._bus: Bus | None = None
        self._checking = asyncio.Lock()
        """An exchange is imported once, however many units begin together."""

    def units(self, config: GathererConfig) -> Mapping[str, StreamUnitConfig]:
        """Return the streams by key, such as `PUBLIC.binance.watchOrderBook.ETH/BTC`."""
        # Of the first configuration nothing runs that a refusal would protect: it would end the streams of all tenants.
        planned = plan(config, self._listings.symbols, self._planned)
        self._planned, self._overlaps = Planned.of(config, planned.units), planned.overlaps
        return planned.units

    async def learn(self, config: GathererConfig) -> None:
        """Learn the markets of exchanges whose symbols are named by patterns."""
        if self._bus is None:
            raise RuntimeError("the agent has not started")
        accounts = _accounts_with_patterns(config)
        await self._listings.want(
            [
                Account(key[0], key[1], config.exchanges[key[0]][key[1]], self._bus.budget(key[0]), traded)
                for key, traded in (await _traded(self._bus, accounts)).items()
            ]
        )

    async def outdated(self) -> None:
        """Wait until markets have changed that patterns may match."""
        await self._listings.changed.wait()
        self._listings.changed.clear()

    def warnings(self, config: GathererConfig) -> Sequence[str]:
        """Name what patterns do not stand for: markets that are not known yet, gone, too many, or taken already."""
        found = [problem for _, problem in pattern_mistakes(config, self._listings.symbols)]
        mistakes = [f"{problem.path}: {problem.message}" for problem in (*found, *self._overlaps)]
        unknown = _accounts_with_patterns(config) - self._listings.symbols.keys()
        return [
            f"the patterns of {tenant}.{exchange} match nothing until its markets are known: "
            f"{self._listings.failure((tenant, exchange))}"
            for tenant, exchange in sorted(unknown)
        ] + mistakes

    async def stopped(self) -> None:
        """Let go of the markets."""
        await self._listings.end()

    async def check(self, units: Mapping[str, StreamUnitConfig]) -> None:
        """Check that exchanges have the streams; in a thread, since it imports exchanges that are new."""
        async with self._checking:
            await asyncio.to_thread(check_capabilities, units.values())

    def together(self, key: str, unit_config: StreamUnitConfig) -> str:
        """Return the same name for all private streams of an account, and for a public feed of several tenants."""
        return unit_config.group

    async def started(self, bus: Bus) -> None:
        """Publish on this bus."""
        self._bus = bus

    async def run_unit(self, key: str, unit_config: StreamUnitConfig, health: UnitHealthReporter) -> None:
        """Keep one stream until cancelled."""
        if self._bus is None:
            raise RuntimeError("the agent has not started")
        name = unit_config.name
        # Of the first configuration, nothing else has checked it.
        await self.check({key: unit_config})
        credentials, budget = unit_config.credentials, self._bus.budget(name.tenant)
        keep_open = partial(self._exchanges.use, name.exchange, credentials, budget)
        async with keep_open(None) as exchange:
            market = SharedMarket(self._feeds, exchange, credentials, keep_open)
            stream = stream_of(unit_config, SharingExchange(exchange, market), self._bus, health)
            stream.on_broken = partial(market.renew, name.action, name.symbol)
            if (interval_s := exchange.poll_interval_s(stream.action)) is not None:
                health.gauge("pollIntervalS", interval_s)
            with exchange.reporting(health.gauge):
                await run_all(run_stream(stream), report_source(stream), *_watching(stream, self._bus))


def _watching(stream: Stream, bus: Bus) -> Iterator[Coroutine[Any, Any, None]]:
    """Return what else concerns a stream of a symbol."""
    if stream.action.is_account_wide:
        return
    yield follow_market(stream)
    if stream.action.is_private:
        yield note_answers(stream, bus)


async def _traded(bus: Bus, accounts: set[AccountKey]) -> dict[AccountKey, frozenset[str]]:
    """Return the symbols in which each account has open orders, of those whose orders were ever followed."""
    found: dict[AccountKey, set[str]] = {key: set() for key in accounts}
    names = await bus.stream_names({tenant for tenant, _ in accounts}) if accounts else []
    for name in names:
        followed, symbol = found.get((name.tenant, name.exchange)), name.symbol
        if followed is None or symbol is None or name.action != ORDERS.name:
            continue
        if await bus.orders.open_ids(name.tenant, name.exchange, symbol):
            followed.add(symbol)
    return {key: frozenset(symbols) for key, symbols in found.items()}


def _accounts_with_patterns(config: GathererConfig) -> set[AccountKey]:
    if config.agent.status == "stopped":
        return set()
    return {(plan.tenant, plan.exchange_id) for plan in config.workplans if any(map(is_pattern, plan.asset_pairs))}
