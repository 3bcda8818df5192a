"""The trusted books by which orders are judged: followed from the first order in a symbol on."""

import asyncio
from collections.abc import Iterable
from decimal import Decimal
from typing import Final, NamedTuple

from millrace_bus import Bus, Follower, Update
from millrace_core.book import OrderBook
from millrace_core.clock import elapsed_ms
from millrace_core.names import PUBLIC, Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_core.states import BookState
from millrace_executor.risk.terms import Reach

ORDER_BOOK: Final = Action("watchOrderBook")
WAIT_FOR_BOOK_S: Final = 1.0
"""How long an order waits for a trusted book: the first in its symbol, or one that comes while a gap is repaired."""
_PROVEN: Final = ("live", "unverified")
"""Statuses of a book that its gatherer vouches for; `unverified`: the exchange sends nothing that could prove it."""


class TrustedBook(NamedTuple):
    """A book with two sides whose stream is trusted: a `BookView`."""

    book: OrderBook
    bid: float
    ask: float

    @property
    def best_bid(self) -> Decimal:
        """Return the price of the best bid."""
        return _exact(self.bid)

    @property
    def best_ask(self) -> Decimal:
        """Return the price of the best ask."""
        return _exact(self.ask)

    @property
    def mid(self) -> Decimal:
        """Return the price half-way between best bid and ask."""
        return (self.best_bid + self.best_ask) / 2

    def reach(self, side: str, size: Decimal, *, in_quote: bool = False) -> Reach | None:
        """Return what a market order would trade at; None if the book holds less than its size."""
        left, cost = size, Decimal(0)
        for number, offered in (self.book.asks if side == "buy" else self.book.bids).levels():
            price = _exact(number)
            unit = price if in_quote else Decimal(1)
            taken = min(left, _exact(offered) * unit)
            cost += taken if in_quote else taken * price
            left -= taken
            if not left:
                return Reach(cost, price)
        return None


class JudgedBook(NamedTuple):
    """What is known of a symbol's book."""

    book: TrustedBook | None
    age_ms: int | None = None
    """Time since its writer last changed or confirmed it."""
    reason: str = ""
    """Why there is none."""


class _Followed:
    """One stream of order books."""

    def __init__(self, bus: Bus, name: StreamName) -> None:
        self.received_ms = 0
        self.is_closed = False
        self._follower: Follower = bus.follow(name, self._note)

    def _note(self, update: Update) -> None:
        self.received_ms = elapsed_ms()

    async def ready(self) -> None:
        """Wait until its state is trusted."""
        await self._follower.ready()

    def view(self) -> TrustedBook | None:
        """Return the book; None if it is not to be trusted, or has an empty side."""
        state = self._follower.state
        if not (self._follower.trusted and self._follower.status in _PROVEN and isinstance(state, BookState)):
            return None
        bid, ask = state.book.bids.best(), state.book.asks.best()
        return None if bid is None or ask is None else TrustedBook(state.book, bid[0], ask[0])

    async def close(self) -> None:
        """Stop following."""
        await self._follower.close()


class Books:
    """The books of one exchange as a tenant sees them: its own feeds, and those that all tenants share."""

    def __init__(self, bus: Bus, tenant: Tenant, exchange: ExchangeId) -> None:
        self._bus = bus
        self._exchange = exchange
        self._tenants = (tenant, PUBLIC)
        self._followed: dict[str, list[_Followed]] = {}

    async def book(self, symbol: str) -> JudgedBook:
        """Return the book that was heard of last; one that is not there yet is waited for."""
        streams = self._followed.get(symbol)
        if streams is None:
            streams = self._followed[symbol] = [self._follow(tenant, symbol) for tenant in self._tenants]
        if (found := _newest(streams)) is None:
            await _first_ready(streams)
            found = _newest(streams)
        if found is None:
            watch = f"let a gatherer watch it: watchOrderBook of {symbol} on {self._exchange}"
            return JudgedBook(None, reason=f"no live book of {symbol} is published; {watch}")
        received_ms, view = found
        return JudgedBook(view, elapsed_ms() - received_ms)

    async def close(self) -> None:
        """Stop following."""
        followed, self._followed = self._followed, {}
        for streams in followed.values():
            for stream in streams:
                await stream.close()

    def _follow(self, tenant: Tenant, symbol: str) -> _Followed:
        return _Followed(self._bus, StreamName(tenant, self._exchange, ORDER_BOOK, Symbol(symbol)))


def _newest(streams: Iterable[_Followed]) -> tuple[int, TrustedBook] | None:
    found = [(stream.received_ms, view) for stream in streams if (view := stream.view()) is not None]
    return max(found, key=lambda each: each[0], default=None)


async def _first_ready(streams: Iterable[_Followed]) -> None:
    waits = [asyncio.ensure_future(stream.ready()) for stream in streams]
    try:
        await asyncio.wait(waits, timeout=WAIT_FOR_BOOK_S, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


def _exact(number: float) -> Decimal:
    return Decimal(repr(number))
