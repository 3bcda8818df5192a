"""Real exchanges to talk to: the simulator in each dialect, whose market stands still until a test moves it."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from libs.exchange.tests.contracts.venue import VenueBook
from msgspec.structs import replace

from millrace_core.config.common import Credentials
from millrace_core.market import Level
from millrace_exchange import Exchange, open_exchange
from millrace_simulator.config import default_config
from millrace_simulator.listings import DialectName
from millrace_simulator.server import Server, serve


class SimulatedVenue:
    """The simulator as the contracts see it; each dialect writes symbols and depth its own way."""

    symbol, own_symbol = "ETH/BTC", "KCS/USDT"
    low_price = Decimal(5)

    def __init__(self, server: Server) -> None:
        self.server = server
        market_id = self.market_id(self.own_symbol)
        rules = server.venue.instrument(market_id).rules
        self.lot, self.tick, self.min_cost = rules.lot_size, rules.tick_size, rules.min_notional
        # KuCoin counts a quote currency by market, Binance in eight decimals.
        self.cost_step = self.lot * self.tick if "-" in market_id else Decimal("1e-8")

    def market_id(self, symbol: str) -> str:
        """Return the exchange's name of a market."""
        return next(each for each in self.server.venue.instruments if each.replace("-", "") == symbol.replace("/", ""))

    def relist(self, **rules: Any) -> None:
        """List `own_symbol` again, with other rules."""
        former = self.server.venue.instrument(self.market_id(self.own_symbol)).rules
        self.server.venue.list_symbol(replace(former, **rules))

    def step(self, ms: int = 20) -> None:
        """Move the market by some milliseconds."""
        market = self.server.market
        market.step(market.now_us + ms * 1000)

    async def book(self, symbol: str) -> VenueBook:
        """Return the book that it keeps."""
        instrument = self.server.venue.instrument(self.market_id(symbol))
        book, scale = instrument.depth(), instrument.scale
        bids, asks = (
            [(float(scale.price_text(price)), float(scale.quantity_text(lots))) for price, lots in side]
            for side in (book.bids, book.asks)
        )
        return VenueBook(book.last_update_id, bids, asks)

    async def close(self) -> None:
        """Go away."""
        await self.server.close()


async def serve_dialect(dialect: DialectName, **settings: Any) -> Server:
    """Start the simulator in a dialect; its market stands still."""
    config = replace(default_config(dialect), events_per_second=4_000, depth_interval_ms=10, record=True, **settings)
    return await serve(config, drive_market=False)


def credentials_at(url: str) -> Credentials:
    """Return how to reach a simulator's account."""
    return Credentials(api_key="demo-key", secret="demo-secret", password="demo-passphrase", urls={"base": url})


@pytest.fixture(autouse=True)
def _patient_kucoin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let KuCoin accept what was signed long ago: a busy machine may take longer than its 5 s to send a request."""
    monkeypatch.setattr("millrace_simulator.kucoin.signing.WINDOW_MS", 60_000)


@pytest.fixture
async def simulator() -> AsyncIterator[Server]:
    """An exchange that speaks Binance's protocol; `market.step` moves it."""
    async with await serve_dialect("binance") as server:
        yield server


@pytest.fixture
def venue(simulator: Server) -> SimulatedVenue:
    """The simulator as the contracts see it."""
    return SimulatedVenue(simulator)


@pytest.fixture
def credentials(simulator: Server) -> Credentials:
    """How to reach the simulator's account."""
    return credentials_at(simulator.url)


@pytest.fixture
async def exchange(credentials: Credentials) -> AsyncIterator[Exchange]:
    """The simulator's account, its markets loaded."""
    opened = await open_exchange("binance", credentials)
    await opened.prepare()
    yield opened
    await opened.close()


def is_known_part(levels: list[Level], whole: list[Level]) -> bool:
    """Tell whether a side of a book is the exchange's own from the best level on; it may end before its end."""
    return levels == whole[: len(levels)] and bool(levels) == bool(whole)
