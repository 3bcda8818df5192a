"""The background participants of one symbol: makers with ladders of orders, takers, cancelations.

Distances are measured in *grains*: a grain is about 0.2 basis points and at least one tick, so that every symbol's
book has the same shape whatever its tick. Each call of `act` does one small thing; together they keep the best
prices a few grains off the fair value and the book some hundred levels deep.
"""

from __future__ import annotations

from math import exp
from random import Random

from millrace_matching import Side
from millrace_simulator.venue import Instrument, Venue

LEVELS = 130
"""Levels of each side's ladder at the opening."""
_TAIL = 40
_TAIL_STRIDE = 6
_HALF_SPREAD = 2
"""Nearest to the fair value that a maker quotes, in grains."""
_WIDE = 4
"""A best price farther from the fair value than this is improved first, in grains."""
_TAKERS = 0.1
_SWEEPS = 0.03
"""The share of takers that take ten times as much."""
_EAGERNESS = 0.7
"""How often a wide spread is narrowed before anything else."""
_NEAR_SCALE = 15.0
"""How far from the best price the nearer half of new orders lies on average, in grains."""
_TARGET_LEVELS = 150
_MOST_ORDERS = 800
"""Orders of a side that are remembered before filled ones are removed."""


class Crowd:
    """All participants of a symbol that have no account."""

    def __init__(self, venue: Venue, instrument: Instrument, rng: Random, book_levels: int) -> None:
        self.fair = float(instrument.last_price)
        """Their fair value in ticks."""
        self.bias = 0.0
        """How much likelier takers buy than sell, -1 to 1."""
        self._venue = venue
        self._instrument = instrument
        self._engine = instrument.engine
        self._rng = rng
        self._grain = max(1, round(instrument.last_price * 0.00002))
        # (id, price); filled orders stay until they are come across.
        self._orders: dict[Side, list[tuple[int, int]]] = {Side.BUY: [], Side.SELL: []}
        self._far: dict[Side, list[int]] = {Side.BUY: [], Side.SELL: []}
        """Orders beyond the ladders, a level each, which stand still."""
        self._book_levels = book_levels
        self._far_rng = Random(f"{instrument.symbol} far")  # noqa: S311

    def open(self) -> None:
        """Fill the book around the fair value, and be ready to fill it farther away."""
        self._instrument.deepen = self._deepen
        steps = [*range(LEVELS), *range(LEVELS, LEVELS + _TAIL * _TAIL_STRIDE, _TAIL_STRIDE)]
        for step in steps:
            for side in Side:
                self._quote(side, step)

    def quote_again(self, side: Side) -> None:
        """Put a ladder in place of one that was traded away."""
        if len(self._engine.side(side)) < LEVELS // 2:
            for step in range(LEVELS):
                self._quote(side, step)

    def _deepen(self, levels: int) -> None:
        """Let the book have so many levels, as far as it may and there are prices for them."""
        for side in Side:
            standing, worst = self._engine.side(side), self._engine.side(side).worst()
            missing = min(levels, self._book_levels) - len(standing)
            if missing <= 0 or worst is None:
                continue
            stride = max(1, min(self._grain, worst.price // (missing + 1)))
            sign = -1 if side is Side.BUY else 1
            prices = [worst.price + sign * stride * step for step in range(1, missing + 1)]
            size = self._instrument.typical_lots
            quotes = [(max(1, int(size * (1 + 4 * self._far_rng.random()))), price) for price in prices if price > 0]
            left = [order_id for order_id in self._far[side] if order_id in self._engine]
            self._far[side] = left + self._venue.crowd_quote(self._instrument, side, quotes)

    def act(self) -> None:
        """Execute one action of one participant."""
        rng = self._rng
        if self._mend_overtaken() or (rng.random() < _EAGERNESS and self._mend_wide()):
            return
        if rng.random() < _TAKERS:
            self._take()
            return
        side = Side.BUY if rng.random() < 0.5 else Side.SELL
        # The more stands, the likelier an order is canceled: the book stays about as deep as at the opening.
        orders, levels = len(self._orders[side]), len(self._engine.side(side)) - len(self._far[side])
        if rng.random() * 2 < max(levels / _TARGET_LEVELS, orders / _MOST_ORDERS):
            self._think_again(side)
        else:
            self._quote(side, self._step())

    def _step(self) -> int:
        """Return a new order's distance from the best possible price: half of them are near it, the rest anywhere."""
        if self._rng.random() < 0.5:
            return int(self._rng.expovariate(1 / _NEAR_SCALE))
        return self._rng.randrange(LEVELS)

    def _quote(self, side: Side, step: int) -> None:
        """Put a maker's order; one that would take is moved behind the other side's best."""
        distance = (_HALF_SPREAD + step) * self._grain
        facing = self._engine.side(side.opposite).best()
        if side is Side.BUY:
            price = int(self.fair - distance)
            if facing is not None:
                price = min(price, facing.price - 1)
        else:
            price = int(self.fair + distance) + 1
            if facing is not None:
                price = max(price, facing.price + 1)
        if price > 0:
            lots = self._lots(1.0 + min(step, 60) / 20)
            self._orders[side].append((self._venue.crowd_submit(self._instrument, side, lots, price), price))

    def _take(self) -> None:
        """Trade at the market: small as a rule, through several levels now and then."""
        rng = self._rng
        side = Side.BUY if rng.random() * 2 < 1 + self.bias else Side.SELL
        if len(self._engine.side(side.opposite)):
            lots = self._lots(10.0 if rng.random() < _SWEEPS else 0.8)
            self._venue.crowd_submit(self._instrument, side, lots, None)

    def _think_again(self, side: Side) -> None:
        """Cancel the farther one of two orders."""
        orders = self._orders[side]
        if len(orders) > _MOST_ORDERS:
            orders[:] = [entry for entry in orders if entry[0] in self._engine]
        while orders:
            places = (self._rng.randrange(len(orders)), self._rng.randrange(len(orders)))
            place = max(places, key=lambda place: abs(orders[place][1] - self.fair))
            order_id, _ = orders[place]
            orders[place] = orders[-1]
            orders.pop()
            if self._venue.crowd_cancel(self._instrument, order_id):
                return

    def _mend_overtaken(self) -> bool:
        """Trade with orders that the fair value has passed."""
        bid, ask = self._engine.bids.best(), self._engine.asks.best()
        if bid is not None and bid.price > self.fair + self._grain:
            self._venue.crowd_submit(self._instrument, Side.SELL, min(bid.total, self._lots(2.0)), bid.price)
            return True
        if ask is not None and ask.price < self.fair - self._grain:
            self._venue.crowd_submit(self._instrument, Side.BUY, min(ask.total, self._lots(2.0)), ask.price)
            return True
        return False

    def _mend_wide(self) -> bool:
        """Improve a best price that lies too far from the fair value."""
        for side in Side:
            best = self._engine.side(side).best()
            if best is None or abs(best.price - self.fair) > _WIDE * self._grain:
                self._quote(side, self._rng.randrange(2))
                return True
        return False

    def _lots(self, scale: float) -> int:
        """Return a size about `scale` usual trades, most often less, sometimes much more."""
        return max(1, int(self._instrument.typical_lots * scale * exp(self._rng.gauss(-0.3, 0.9))))
