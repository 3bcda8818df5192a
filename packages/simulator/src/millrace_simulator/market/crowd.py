"""The background participants of one symbol: makers with ladders of orders, takers, and second thoughts.

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
_DEPTH_SCALE = 28.0
"""How far from the best prices new orders lie on average, in grains."""


class Crowd:
    """Everybody who trades a symbol without an account."""

    def __init__(self, venue: Venue, instrument: Instrument, rng: Random) -> None:
        self.fair = float(instrument.last_price)
        """What they think it is worth, in ticks."""
        self.bias = 0.0
        """How much likelier takers buy than sell, -1 to 1."""
        self._venue = venue
        self._instrument = instrument
        self._engine = instrument.engine
        self._rng = rng
        self._grain = max(1, round(instrument.last_price * 0.00002))
        self._orders: list[tuple[int, int]] = []  # (id, price); may hold orders that are filled already
        self._target = 0

    def open(self) -> None:
        """Fill the book around the fair value."""
        steps = [*range(LEVELS), *range(LEVELS, LEVELS + _TAIL * _TAIL_STRIDE, _TAIL_STRIDE)]
        for step in steps:
            for side in Side:
                self._quote(side, step)
        self._target = len(self._orders)

    def act(self) -> None:
        """Let one participant do one thing."""
        rng = self._rng
        if self._mend_overtaken():
            return
        if rng.random() < _TAKERS:
            self._take()
            return
        side = Side.BUY if rng.random() < 0.5 else Side.SELL
        # The more orders stand, the likelier one is canceled: their number hovers about the opening's.
        if rng.random() * 2 * self._target < len(self._orders):
            self._think_again()
        else:
            self._quote(side, self._step(side))

    def _step(self, side: Side) -> int:
        """How far from the best possible price a new order is put: near where the book is thin."""
        best = self._engine.side(side).best()
        if best is None or abs(best.price - self.fair) > _WIDE * self._grain:
            return self._rng.randrange(3)
        return int(self._rng.expovariate(1 / _DEPTH_SCALE))

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
            self._orders.append((self._venue.crowd_submit(self._instrument, side, lots, price), price))

    def _take(self) -> None:
        """Trade at the market: small as a rule, through several levels now and then."""
        rng = self._rng
        side = Side.BUY if rng.random() * 2 < 1 + self.bias else Side.SELL
        if len(self._engine.side(side.opposite)):
            lots = self._lots(10.0 if rng.random() < _SWEEPS else 0.8)
            self._venue.crowd_submit(self._instrument, side, lots, None)

    def _think_again(self) -> None:
        """Cancel the farther one of two orders."""
        for _ in range(8):
            if not self._orders:
                return
            places = (self._rng.randrange(len(self._orders)), self._rng.randrange(len(self._orders)))
            place = max(places, key=lambda place: abs(self._orders[place][1] - self.fair))
            order_id, _ = self._orders[place]
            self._orders[place] = self._orders[-1]
            self._orders.pop()
            if self._venue.crowd_cancel(self._instrument, order_id):
                return

    def _mend_overtaken(self) -> bool:
        """Take what the fair value has passed: whoever quotes a price that is too good gets it."""
        bid, ask = self._engine.bids.best(), self._engine.asks.best()
        if bid is not None and bid.price > self.fair + self._grain:
            self._venue.crowd_submit(self._instrument, Side.SELL, min(bid.total, self._lots(2.0)), bid.price)
            return True
        if ask is not None and ask.price < self.fair - self._grain:
            self._venue.crowd_submit(self._instrument, Side.BUY, min(ask.total, self._lots(2.0)), ask.price)
            return True
        return False

    def _lots(self, scale: float) -> int:
        """A size about `scale` usual trades, most often less, sometimes much more."""
        return max(1, int(self._instrument.typical_lots * scale * exp(self._rng.gauss(-0.3, 0.9))))
