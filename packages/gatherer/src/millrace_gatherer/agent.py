"""The gatherer as an agent: plans the streams of a configuration, and runs each."""

import asyncio
from collections.abc import Mapping
from functools import partial

from millrace_bus import Bus
from millrace_core.config import GathererConfig
from millrace_gatherer.exchanges import SharedExchanges
from millrace_gatherer.feeds import SharedFeeds, SharedMarket, SharingExchange
from millrace_gatherer.streams import run_stream, stream_of
from millrace_gatherer.units import StreamUnitConfig, check_capabilities, stream_units
from millrace_service import Agent, UnitHealthReporter


class GathererAgent(Agent[GathererConfig, StreamUnitConfig]):
    """Takes streams from exchanges; each is a unit, so that a change restarts what it touches only."""

    kind = "gatherer"
    config_model = GathererConfig

    def __init__(self) -> None:
        self._exchanges = SharedExchanges()
        self._feeds = SharedFeeds()
        self._bus: Bus | None = None
        self._checking = asyncio.Lock()
        """An exchange is imported once, however many units begin together."""

    def units(self, config: GathererConfig) -> Mapping[str, StreamUnitConfig]:
        """Return the streams by key, such as `PUBLIC.binance.watchOrderBook.ETH/BTC`."""
        return stream_units(config)

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
        budget = self._bus.budget(name.tenant)
        async with self._exchanges.use(name.exchange, unit_config.credentials, budget) as exchange:
            market = SharedMarket(self._feeds, exchange, unit_config.credentials)
            stream = stream_of(unit_config, SharingExchange(exchange, market), self._bus, health)
            stream.on_broken = partial(market.renew, name.action, name.symbol)
            if (interval_s := exchange.poll_interval_s(stream.action)) is not None:
                health.gauge("pollIntervalS", interval_s)
            with exchange.reporting(health.gauge):
                await run_stream(stream)
