"""The exchange that a contract runs against, and a listener that keeps what it received."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

from millrace_core.book import OrderBook
from millrace_core.market import Balances, Candle, ExchangePosition, Fields, Level, Liquidation, Trade
from millrace_core.orders import Order
from millrace_exchange import Acknowledgement, EventTimes, Exchange


class VenueBook(NamedTuple):
    """The exchange's own book."""

    nonce: int
    bids: list[Level]
    asks: list[Level]


class Venue(Protocol):
    """An exchange whose market stands still until a test moves it."""

    symbol: str
    """A market that others trade in."""
    own_symbol: str
    """A market that the account alone trades in, with a price above `low_price` and funds for a few units."""
    low_price: Decimal
    """A limit at which a bid in `own_symbol` rests."""
    lot: Decimal
    """Of `own_symbol`."""
    tick: Decimal
    """Of `own_symbol`."""
    cost_step: Decimal
    """Step of an amount of the quote currency of `own_symbol`."""
    min_cost: Decimal
    """Least price times amount of an order in `own_symbol`."""

    def step(self, ms: int = 20) -> None:
        """Move the market by some milliseconds."""

    async def book(self, symbol: str) -> VenueBook:
        """Return its own book."""

    async def close(self) -> None:
        """Go away."""


class RecordingListener:
    """Keeps everything that it receives, and lets a test wait until something holds."""

    def __init__(self) -> None:
        self.book = OrderBook()
        self.resets = 0
        self.breaks: list[str] = []
        self.trades: list[Trade] = []
        self.orders: list[Order] = []
        self.balances: Balances = {}
        self.positions: list[ExchangePosition] = []
        self.liquidations: list[Liquidation] = []
        self.ticker: Fields = {}
        self.candles: list[Candle] = []
        self.events: list[EventTimes] = []
        self._received = asyncio.Event()

    def book_reset(self, bids: list[Level], asks: list[Level], nonce: int | None, event: EventTimes) -> None:
        """Take a whole book."""
        self.resets += 1
        self.book.replace(bids, asks, nonce)
        self._note(event)

    def book_changed(self, bids: list[Level], asks: list[Level], nonce: int | None, event: EventTimes) -> None:
        """Take changed levels."""
        self.book.apply(bids, asks, nonce)
        self._note(event)

    def book_broken(self, reason: str) -> None:
        """Learn that the book is wrong."""
        self.breaks.append(reason)
        self._received.set()

    def message_missed(self, reason: str) -> None:
        """Learn that a message cannot be read."""
        self.breaks.append(reason)
        self._received.set()

    def traded(self, trades: list[Trade], event: EventTimes) -> None:
        """Take trades."""
        self.trades += trades
        self._note(event)

    def orders_changed(self, orders: list[Order], event: EventTimes) -> None:
        """Take orders."""
        self.orders += orders
        self._note(event)

    def balance_changed(self, balances: Balances, event: EventTimes) -> None:
        """Take balances."""
        self.balances |= balances
        self._note(event)

    def positions_changed(self, positions: list[ExchangePosition], event: EventTimes) -> None:
        """Take positions."""
        self.positions += positions
        self._note(event)

    def liquidated(self, liquidations: list[Liquidation], event: EventTimes) -> None:
        """Take liquidations."""
        self.liquidations += liquidations
        self._note(event)

    def fields_changed(self, ticker: Fields, event: EventTimes) -> None:
        """Take a ticker."""
        self.ticker = ticker
        self._note(event)

    def candles_changed(self, candles: Sequence[Candle], event: EventTimes) -> None:
        """Take candles."""
        self.candles += candles
        self._note(event)

    def _note(self, event: EventTimes) -> None:
        self.events.append(event)
        self._received.set()

    async def until(self, holds: Callable[[], Any]) -> None:
        """Wait until something received makes it true."""
        async with asyncio.timeout(60):
            while not holds():
                self._received.clear()
                await self._received.wait()


async def described(exchange: Exchange, venue: Venue, acknowledged: Acknowledgement) -> Order:
    """Return the order of an answer; where it has nothing but the id, the exchange is asked for the rest."""
    (order,) = acknowledged.orders
    if order.status is not None:
        return order
    asked = await exchange.execution.fetch_order(venue.own_symbol, order_id=order.id)
    assert asked is not None
    return asked


@asynccontextmanager
async def streaming(stream: Any) -> AsyncIterator["asyncio.Task[None]"]:
    """Run a stream for a while; raise what it raised before its end."""
    task = asyncio.create_task(stream)
    yield task
    if task.done():
        task.result()
    task.cancel()
    await asyncio.wait({task})
