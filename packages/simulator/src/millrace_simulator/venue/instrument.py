"""A listed symbol: its rules, its book, its trades, its statistics."""

from __future__ import annotations

from msgspec import Struct

from millrace_simulator.statistics import Statistics
from millrace_simulator.venue.rules import SymbolRules
from millrace_simulator.venue.scale import Scale
from millrace_simulator.venue.tape import Tape


class BookSnapshot(Struct, frozen=True):
    """An order book as of one update; (price in ticks, total in lots), best first."""

    symbol: str
    last_update_id: int
    bids: tuple[tuple[int, int], ...]
    asks: tuple[tuple[int, int], ...]


class BookTicker(Struct, frozen=True, gc=False):
    """The best bid and ask; price and quantity are 0 where a side is empty."""

    symbol: str
    update_id: int
    bid: int
    bid_quantity: int
    ask: int
    ask_quantity: int


class Instrument:
    """What the venue knows of one symbol."""

    rules: SymbolRules
    scale: Scale
    tape: Tape
    statistics: Statistics

    @property
    def symbol(self) -> str:
        """Binance's spelling."""
        return self.rules.symbol

    @property
    def last_update_id(self) -> int:
        """The update id of the book's last change."""
        raise NotImplementedError

    @property
    def last_price(self) -> int:
        """The price of the last trade in ticks; the opening price before the first."""
        raise NotImplementedError

    def depth(self, limit: int | None = None) -> BookSnapshot:
        """The best `limit` levels of each side; all when None."""
        raise NotImplementedError

    def book_ticker(self) -> BookTicker:
        """The best bid and ask."""
        raise NotImplementedError
