"""A listed symbol: its rules, book, trades and statistics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from msgspec import Struct
from msgspec.structs import replace

from millrace_matching import Engine, Side
from millrace_simulator.statistics import LAST_TRADE_ID, Statistics
from millrace_simulator.venue.clock import Clock
from millrace_simulator.venue.rules import SymbolRules
from millrace_simulator.venue.tape import PublicTrade, Tape

_KEPT_TRADES = 50_000
_REMEMBERED_US = 3_600_000_000
"""How far back an earlier run counts in the statistics; what lies before is made up, as before any opening."""
_TYPICAL_NOTIONALS = 100
"""A usual trade, in multiples of the least notional."""


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
    """One symbol at the venue: rules, book, trades, statistics."""

    def __init__(self, rules: SymbolRules, clock: Clock, rng: Random, *, keep_all_trades: bool) -> None:
        self.rules = rules
        self.symbol = rules.symbol
        self.scale = rules.scale
        self.trading = True
        """Whether new orders are accepted; canceling always works."""
        opening = round(rules.opening_price / rules.tick_size)
        typical = rules.typical_notional or _TYPICAL_NOTIONALS * rules.min_notional
        self.typical_lots = max(1, int(typical / rules.opening_price / rules.lot_size))
        """A usual trade."""
        self.statistics = Statistics(
            opening=opening,
            typical_lots=self.typical_lots,
            tick=rules.tick_size,
            rng=rng,
            now_ms=lambda: clock.now_us() // 1000,
        )
        self.engine = Engine(last_price=opening, last_trade_id=LAST_TRADE_ID)
        self.deepen: Callable[[int], None] = lambda levels: None
        """Called before a book is shown that deep: who quotes far from the price need not do so before."""
        self.tape = Tape(rules.symbol, keep=None if keep_all_trades else _KEPT_TRADES)
        self._opening = opening
        self._last_order_id = 0

    def resume(self, trades: Sequence[PublicTrade], last_order_id: int, now_us: int) -> None:
        """Go on after the trades of an earlier run, oldest first."""
        self._last_order_id = last_order_id
        if not trades:
            return
        self.tape.resume(trades)
        last = trades[-1]
        self.engine.last_price, self.engine.last_trade_id = last.price, last.trade_id
        recent = [trade for trade in trades if trade.time_us > now_us - _REMEMBERED_US]
        first = recent[0] if recent else replace(last, trade_id=last.trade_id + 1, time_us=now_us)
        self.statistics.open(first.price, first.trade_id - 1, first.time_us // 1000)
        for trade in recent:
            self.statistics.add_trade(
                trade.time_us // 1000, trade.price, trade.quantity, trade.trade_id, trade.buyer_is_maker
            )

    def succeed(self, former: Instrument, now_us: int) -> None:
        """Go on with the numbers of an earlier listing, and with its trades where the rules are the same."""
        self.resume(former.tape.since(0) if former.rules == self.rules else (), former._last_order_id, now_us)
        self.engine.last_trade_id = former.engine.last_trade_id
        self.engine.last_update_id = former.engine.last_update_id

    def next_order_id(self) -> int:
        """Number an order."""
        self._last_order_id += 1
        return self._last_order_id

    @property
    def last_update_id(self) -> int:
        """Return the update id of the book's last change."""
        return self.engine.last_update_id

    @property
    def last_price(self) -> int:
        """Return the price of the last trade in ticks; the opening price before the first."""
        return self.engine.last_price or self._opening

    def depth(self, limit: int | None = None) -> BookSnapshot:
        """Return the best `limit` levels of each side; all when None."""
        engine = self.engine
        bids, asks = engine.levels(Side.BUY, limit), engine.levels(Side.SELL, limit)
        return BookSnapshot(self.symbol, engine.last_update_id, tuple(bids), tuple(asks))

    def book_ticker(self) -> BookTicker:
        """Return the best bid and ask."""
        engine = self.engine
        bid, ask = next(engine.bids.shown_levels(), None), next(engine.asks.shown_levels(), None)
        return BookTicker(
            self.symbol,
            engine.last_update_id,
            bid.price if bid else 0,
            bid.shown if bid else 0,
            ask.price if ask else 0,
            ask.shown if ask else 0,
        )
