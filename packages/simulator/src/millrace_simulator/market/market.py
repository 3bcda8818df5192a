"""The market: every background participant of every symbol, in steps of time."""

from __future__ import annotations

import asyncio
import time
from math import exp, inf
from random import Random

from millrace_matching import Side
from millrace_simulator.market.crowd import Crowd
from millrace_simulator.market.fair import STEP_SECONDS, FairValues
from millrace_simulator.venue import Instrument, Order, SymbolRules, Venue

_BRANCHING = 0.55
"""How many further arrivals each one causes, on average."""
_DECAY_PER_SECOND = 4.0


class Arrivals:
    """Arrival times in seconds, clustered, at a given average rate.

    A self-exciting (Hawkes) process: each arrival makes further ones more likely for a while. Source: Ogata, "On Lewis'
    simulation method for point processes" (thinning); the kernel is exponential.
    """

    def __init__(self, rng: Random, rate: float, now: float = 0.0) -> None:
        self._rng = rng
        self._now = now
        self._excitement = 0.0
        self.rate = rate
        """Arrivals a second, on average; 0 for none at all."""

    def next(self) -> float:
        """Return the time of the next arrival; infinite if there is none."""
        if self.rate <= 0:
            return inf
        base = self.rate * (1 - _BRANCHING)
        while True:
            bound = base + self._excitement
            gap = self._rng.expovariate(bound)
            self._now += gap
            self._excitement *= exp(-_DECAY_PER_SECOND * gap)
            if self._rng.random() * bound <= base + self._excitement:
                self._excitement += _BRANCHING * _DECAY_PER_SECOND
                return self._now

    def restart(self, now: float) -> None:
        """Restart at a time, without memory of earlier arrivals."""
        self._now = now
        self._excitement = 0.0


_USUAL_EVENTS_PER_SECOND = 200
_GRID_US = round(STEP_SECONDS * 1_000_000)
_SWIFTNESS = (0.02, 4.0)
"""How much slower or faster than usual fair values may move when events are rarer or denser."""


class _Symbol:
    """A symbol's crowd and its schedule."""

    def __init__(self, venue: Venue, instrument: Instrument, seed: int, book_levels: int) -> None:
        self.instrument = instrument
        rng = Random(f"{seed} {instrument.symbol} crowd")  # noqa: S311
        self.crowd = Crowd(venue, instrument, rng, book_levels)
        self.arrivals = Arrivals(Random(f"{seed} {instrument.symbol} arrivals"), 0.0)  # noqa: S311
        self.opening = instrument.last_price
        self.due = 0.0
        self.actions = 1.0
        self.updates = 1.3  # what an action does to the book, as a first guess

    def run(self, until: float) -> None:
        """Execute every action that is due."""
        first_update_id, actions = self.instrument.last_update_id, 0
        while self.due <= until:
            self.crowd.act()
            actions += 1
            self.due = self.arrivals.next()
        self.actions += actions
        self.updates += self.instrument.last_update_id - first_update_id

    def schedule(self, events_per_second: float, now: float) -> None:
        """Set the target rate of book changes (per second)."""
        self.arrivals.restart(now)
        self.aim(events_per_second)
        self.due = self.arrivals.next()

    def aim(self, events_per_second: float) -> None:
        """Correct the rate of actions by how many changes an action has turned out to make."""
        self.arrivals.rate = events_per_second * self.actions / self.updates


class Market:
    """Trades on the venue's books; fully determined by the seed and the steps."""

    def __init__(self, venue: Venue, *, seed: int, events_per_second: float, book_levels: int = 5000) -> None:
        self._paused = False
        self.now_us = venue.clock.now_us()
        """Return the market's time."""
        self.venue = venue
        self._seed = seed
        self._book_levels = book_levels
        self._events_per_second = events_per_second
        self._begin_us = self.now_us
        self._symbols = [_Symbol(venue, each, seed, book_levels) for each in venue.instruments.values()]
        bases = dict.fromkeys(symbol.instrument.rules.base for symbol in self._symbols)
        self._fair = FairValues(seed, bases)

    @property
    def paused(self) -> bool:
        """While True the participants do nothing; time and steps go on. Due arrivals are dropped."""
        return self._paused

    @paused.setter
    def paused(self, paused: bool) -> None:
        if self._paused and not paused:
            self._schedule()
        self._paused = paused

    @property
    def events_per_second(self) -> float:
        """Changes of books wanted, over all symbols; may be set at any time."""
        return self._events_per_second

    @events_per_second.setter
    def events_per_second(self, wanted: float) -> None:
        self._events_per_second = wanted
        self._schedule()

    def open(self) -> None:
        """Fill the books, so that the venue can begin."""
        for symbol in self._symbols:
            symbol.crowd.open()
        self._schedule()
        self.venue.end_step()

    def list_symbol(self, rules: SymbolRules) -> None:
        """List a symbol, fill its book, and trade on it from now on."""
        symbol = _Symbol(self.venue, self.venue.list_symbol(rules), self._seed, self._book_levels)
        self._fair.add(rules.base)
        self._symbols.append(symbol)
        symbol.crowd.open()
        self._schedule()

    def delist(self, symbol: str) -> None:
        """List a symbol no more: its open orders expire."""
        self._symbols = [each for each in self._symbols if each.instrument.symbol != symbol]
        self.venue.delist(symbol)
        self._schedule()

    def fill(self, order: Order, share: float) -> None:
        """Let a participant trade through the book up to a resting order, and take a share of what is left of that."""
        instrument = self.venue.instruments[order.symbol]
        price, left = instrument.scale.ticks(order.price), instrument.engine.remaining(order.order_id)
        if price is None or not left:
            return
        sign = 1 if order.side is Side.BUY else -1
        levels = instrument.engine.levels(order.side)
        ahead = sum(total for level, total in levels if sign * level >= sign * price) - left
        lots = max(0, ahead) + max(1, int(left * share))
        self.venue.crowd_submit(instrument, order.side.opposite, lots, price)
        for symbol in self._symbols:
            if symbol.instrument is instrument:
                symbol.crowd.quote_again(order.side)

    def step(self, until_us: int) -> None:
        """Execute every action due by `until_us`, then call listeners' `on_step`."""
        self.venue.clock.reach(until_us)
        while self.now_us < until_us:
            grid_us = self.now_us - (self.now_us - self._begin_us) % _GRID_US + _GRID_US
            self._advance(min(grid_us, until_us))
            if self.now_us == grid_us:
                self._move_values()
        self.venue.end_step()

    def _advance(self, until_us: int) -> None:
        self.now_us = until_us
        if self._paused:
            return
        until = (until_us - self._begin_us) / 1_000_000
        for symbol in self._symbols:
            symbol.run(until)

    def _move_values(self) -> None:
        """Move fair values, and the crowds' opinion of them."""
        if self._paused:
            return
        slowest, fastest = _SWIFTNESS
        self._fair.move(min(fastest, max(slowest, self._events_per_second / _USUAL_EVENTS_PER_SECOND)))
        for symbol in self._symbols:
            rules = symbol.instrument.rules
            symbol.crowd.fair = symbol.opening * self._fair.ratio(rules.base, rules.quote)
            symbol.crowd.bias = max(-0.5, min(0.5, self._fair.trend(rules.base, rules.quote) * 10_000))
            symbol.aim(self._share)

    def _schedule(self) -> None:
        now = (self.now_us - self._begin_us) / 1_000_000
        for symbol in self._symbols:
            symbol.schedule(self._share, now)

    @property
    def _share(self) -> float:
        """Return each symbol's share of the requested events."""
        return self._events_per_second / max(1, len(self._symbols))


STEP_MS = 10
_MOST_US = 250_000
"""A late step catches up by no more than this, so that a suspended machine does not resume with a burst."""


async def run(market: Market, *, step_ms: int = STEP_MS) -> None:
    """Step the market along the wall clock until cancelled."""
    for instrument in tuple(market.venue.instruments.values()):
        # In advance, one symbol at a time, so that the first order does not wait for it.
        instrument.statistics.prepare()
        await asyncio.sleep(0)
    last_ns = time.monotonic_ns()
    while True:
        await asyncio.sleep(step_ms / 1000)
        now_ns = time.monotonic_ns()
        market.step(market.now_us + min((now_ns - last_ns) // 1000, _MOST_US))
        last_ns = now_ns
