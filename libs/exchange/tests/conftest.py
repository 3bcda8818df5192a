"""A real exchange to talk to: the simulator, whose market stands still until a test moves it."""

from collections.abc import AsyncIterator
from decimal import Decimal

import aiohttp
import pytest
from libs.exchange.tests.contracts.venue import VenueBook

from millrace_core.config.common import Credentials
from millrace_exchange import Exchange, open_exchange
from millrace_simulator.config import SimulatorConfig
from millrace_simulator.server import Server, serve


class BinanceVenue:
    """The simulator in Binance's dialect, as the contracts see it."""

    symbol, own_symbol = "ETH/BTC", "KCS/USDT"
    low_price, lot, tick = Decimal(5), Decimal("0.01"), Decimal("0.001")

    def __init__(self, server: Server) -> None:
        self.server = server

    def step(self, ms: int = 20) -> None:
        """Move the market by some milliseconds."""
        market = self.server.market
        market.step(market.now_us + ms * 1000)

    async def book(self, symbol: str) -> VenueBook:
        """Return the book that its REST depth prints."""
        query = {"symbol": symbol.replace("/", ""), "limit": "5000"}
        async with (
            aiohttp.ClientSession(self.server.url) as session,
            session.get("/api/v3/depth", params=query) as answer,
        ):
            depth = await answer.json()
        bids, asks = ([(float(price), float(amount)) for price, amount in depth[side]] for side in ("bids", "asks"))
        return VenueBook(depth["lastUpdateId"], bids, asks)

    async def close(self) -> None:
        """Go away."""
        await self.server.close()


@pytest.fixture
async def simulator() -> AsyncIterator[Server]:
    """An exchange that speaks Binance's protocol; `market.step` moves it."""
    config = SimulatorConfig(events_per_second=4_000, depth_interval_ms=10, record=True)
    async with await serve(config, drive_market=False) as server:
        yield server


@pytest.fixture
def venue(simulator: Server) -> BinanceVenue:
    """The simulator as the contracts see it."""
    return BinanceVenue(simulator)


@pytest.fixture
def credentials(simulator: Server) -> Credentials:
    """How to reach the simulator's account."""
    return Credentials(api_key="demo-key", secret="demo-secret", urls={"base": simulator.url})


@pytest.fixture
async def exchange(credentials: Credentials) -> AsyncIterator[Exchange]:
    """The simulator's account, its markets loaded."""
    opened = await open_exchange("binance", credentials)
    await opened.prepare()
    yield opened
    await opened.close()
