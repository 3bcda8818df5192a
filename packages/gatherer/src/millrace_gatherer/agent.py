"""The gatherer as an agent: plans the streams of a configuration, and runs each."""

from collections.abc import Mapping
from functools import partial

from millrace_bus import Bus
from millrace_core.config import GathererConfig
from millrace_gatherer.exchanges import SharedExchanges
from millrace_gatherer.feeds import SharedFeeds, SharedMarket, SharingExchange
from millrace_gatherer.streams import run_stream, stream_of
from millrace_gatherer.units import StreamUnitConfig, stream_units
from millrace_service import Agent, UnitHealthReporter


class GathererAgent(Agent[GathererConfig, StreamUnitConfig]):
    """Takes streams from exchanges; each is a unit, so that a change restarts what it touches only."""

    kind = "gatherer"
    config_model = GathererConfig

    def __init__(self) -> None:
        self._exchanges = SharedExchanges()
        self._feeds = SharedFeeds()
        self._bus: Bus | None = None

    def units(self, config: GathererConfig) -> Mapping[str, StreamUnitConfig]:
        """Return the streams by key, such as `PUBLIC.binance.watchOrderBook.ETH/BTC`."""
        return stream_units(config)

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
        async with self._exchanges.use(name.tenant, name.exchange, unit_config.credentials) as exchange:
            market = SharedMarket(self._feeds, exchange, unit_config.credentials)
            stream = stream_of(unit_config, SharingExchange(exchange, market), self._bus, health)
            stream.on_broken = partial(market.renew, name.action, name.symbol)
            await run_stream(stream)
