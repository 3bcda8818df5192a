"""One recorded market in which strategies' orders rest and trade, by the rules of `millrace_matching`. Pure.

Strategies' orders are in a matching engine. What the recording shows of the market joins them there only where they
meet: the other side's levels that an order reaches when it arrives, what stood at its price before it, and the trades
that reach it while it rests. The recording is never changed by what strategies do: prices after an order are those that
were recorded, and what an order took from a level is back when the book next reports that level.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Final

from msgspec.structs import replace

from millrace_backtest.exchange.queue import Queue
from millrace_backtest.exchange.units import decimal, level_units
from millrace_core.book import BookSide, OrderBook
from millrace_core.market import Level
from millrace_core.market_terms import MarketTerms
from millrace_matching import (
    Completed,
    Engine,
    Event,
    Expired,
    NewOrder,
    OrderType,
    Prevented,
    Side,
    TimeInForce,
    Traded,
)
from millrace_matching.errors import UnknownOrder, WouldTrigger
from millrace_matching.triggers import Triggers, rises_to

OWNER: Final = 1
"""The owner of all strategies' orders in the engine: an account's orders do not trade with each other."""
_FIRST_RECORDED: Final = 2**62
"""The engine's numbers of the recorded market's orders begin here; ours are below."""
_FIRST_DEPTH: Final = 16
_WORKING = {
    OrderType.STOP_LOSS: OrderType.MARKET,
    OrderType.TAKE_PROFIT: OrderType.MARKET,
    OrderType.STOP_LOSS_LIMIT: OrderType.LIMIT,
    OrderType.TAKE_PROFIT_LIMIT: OrderType.LIMIT,
}


class RecordedMarket:
    """One symbol of one exchange, as one account trades in it. Prices and amounts of orders are in units.

    Every call returns the engine's events that concern strategies' orders, in order.
    """

    def __init__(self) -> None:
        self.book = OrderBook()
        """The recorded book; replaced by the state of the stream that is played."""
        self.now_ns = 0
        self._engine = Engine()
        self._numbers = count(_FIRST_RECORDED)
        self._queues: dict[Side, dict[float, Queue]] = {Side.BUY: {}, Side.SELL: {}}
        self.places: dict[int, tuple[Side, float]] = {}
        """Where each of our resting orders is."""
        self.taken: dict[tuple[Side, float], int] = {}
        """By level, what our orders took of the recorded amount."""
        self._shown: dict[tuple[Side, float], int] = {}
        """By level, what of the recorded amount is the recorded account's own."""
        self._waiting = Triggers()
        self._last_price: float | None = None
        self.terms: MarketTerms | None = None
        """What its exchange takes, as it was recorded; None if that is not recorded."""

    def remaining(self, number: int) -> int:
        """Return the resting quantity of an order."""
        return self._engine.remaining(number)

    def submit(self, order: NewOrder) -> list[Event]:
        """Let an order meet the market.

        Raises:
            MatchingError: it contradicts itself, would take although it may not, or its trigger is reached already.
        """
        if order.trigger_price is None:
            return self._work(order)
        if self._last_price is not None and _is_reached(order, level_units(self._last_price)):
            raise WouldTrigger(order.order_id)
        self._waiting.add(order)
        return []

    def cancel(self, number: int) -> int:
        """Take an order back; return the quantity that was left.

        Raises:
            UnknownOrder: it neither rests nor waits.
        """
        waiting = self._waiting.discard(number)
        if waiting is not None:
            return waiting.quantity or 0
        remaining = self._engine.remaining(number)
        if not remaining:
            raise UnknownOrder(number)
        self._engine.cancel(number)
        self._leave(number)
        return remaining

    def reduce(self, number: int, quantity: int) -> None:
        """Lower the quantity of an order, which keeps its place.

        Raises:
            UnknownOrder: it neither rests nor waits.
        """
        if not self._waiting.reduce(number, quantity):
            self._engine.reduce(number, quantity)

    def available(self, side: Side, budget: int) -> int:
        """Return the quantity that a market order of this side would get for a budget (a product of units)."""
        with self._offered(NewOrder(0, side, OrderType.MARKET, budget=budget)):
            return self._engine.within(side, budget, skipped_owner=OWNER)[0]

    def show_own(self, side: Side, price: float, quantity: int) -> None:
        """Take it that so much of the recorded level is the recorded account's own order, which must not compete."""
        if quantity:
            self._shown[side, price] = quantity
        else:
            self._shown.pop((side, price), None)

    def book_changed(self, bids: Sequence[Level], asks: Sequence[Level]) -> list[Event]:
        """Take levels of the book that changed; it holds them already."""
        if self.taken:
            for side, levels in ((Side.BUY, bids), (Side.SELL, asks)):
                for price, _ in levels:
                    self.taken.pop((side, price), None)
        if not self.places:
            return []
        for side, levels in ((Side.BUY, bids), (Side.SELL, asks)):
            queues = self._queues[side]
            for price, _ in levels if queues else ():
                if (queue := queues.get(price)) is not None:
                    queue.limit(self._recorded(side, price), self.now_ns)
        return self._fill_crossed()

    def book_replaced(self) -> list[Event]:
        """Take it that the whole book is another one."""
        self.taken.clear()
        for side, queues in self._queues.items():
            for price, queue in queues.items():
                queue.limit(self._recorded(side, price), self.now_ns)
        return self._fill_crossed() if self.places else []

    def traded(self, price: float, amount: float, taker: Side | None) -> list[Event]:
        """Take a trade of the recorded market; without its taker's side it reaches whichever of our sides it can."""
        self._last_price = price
        events: list[Event] = []
        if not self.places and not self._waiting:
            return events
        ticks = level_units(price)
        if self.places:
            for side in (taker,) if taker is not None else Side:
                if self._queues[side.opposite]:
                    events += self._reach(side, price, ticks, level_units(amount))
        while self._waiting and (order := self._waiting.pop(ticks, ticks)) is not None:
            events += self._work(replace(order, type=_WORKING[order.type], trigger_price=None))
        return events

    def _reach(self, taker: Side, price: float, ticks: int, quantity: int) -> list[Event]:
        for level, queue in self._queues[taker.opposite].items():
            if level == price:
                quantity = queue.uncounted(quantity, self.now_ns)
            elif (level > price) is (taker is Side.SELL):
                # It traded behind this price, so nothing of what was recorded is left here.
                queue.clear()
        if quantity <= 0:
            return []
        return self._take(taker, ticks, quantity)

    def _fill_crossed(self) -> list[Event]:
        """Fill our orders that the recorded book has moved through: its orders traded with ours first."""
        events: list[Event] = []
        for side, best in ((Side.BUY, self.book.asks.best()), (Side.SELL, self.book.bids.best())):
            ours = self._queues[side]
            if best is None or not ours:
                continue
            is_buy = side is Side.BUY
            crossed = [queue for price, queue in ours.items() if (price >= best[0] if is_buy else price <= best[0])]
            if crossed:
                for queue in crossed:
                    queue.clear()
                quantity = sum(self._engine.remaining(number) for queue in crossed for number in queue.orders)
                events += self._take(side.opposite, level_units(best[0]), quantity)
        return events

    def _take(self, taker: Side, ticks: int, quantity: int) -> list[Event]:
        """Let the recorded market take from our side, up to a price."""
        order = NewOrder(next(self._numbers), taker, OrderType.LIMIT, quantity, ticks, time_in_force=TimeInForce.IOC)
        return self._ours(self._engine.submit(order))

    def _work(self, order: NewOrder) -> list[Event]:
        if order.price is not None:
            return self._rest(order, float(decimal(order.price)))
        with self._offered(order) as events:
            events += self._ours(self._engine.submit(order))
        return events

    def _rest(self, order: NewOrder, level: float) -> list[Event]:
        queue = self._queue(order.side, level)
        self._join(queue, order.side, level)
        try:
            with self._offered(order) as events:
                events += self._ours(self._engine.submit(order))
        finally:
            if self._engine.remaining(order.order_id):
                queue.orders.add(order.order_id)
                self.places[order.order_id] = order.side, level
            self._close(order.side, level)
        return events

    def _queue(self, side: Side, price: float) -> Queue:
        queue = self._queues[side].get(price)
        if queue is None:
            queue = self._queues[side][price] = Queue(self._engine, level_units(price))
        return queue

    def _join(self, queue: Queue, side: Side, price: float) -> None:
        """Have everything recorded at a price stand there before the next order comes."""
        more = self._recorded(side, price) - queue.quantity
        if more > 0:
            number = next(self._numbers)
            self._engine.submit(NewOrder(number, side, OrderType.LIMIT, more, queue.price))
            queue.ahead.append(number)

    def _recorded(self, side: Side, price: float) -> int:
        """Return what the recorded market has at a price, less what our orders took and the recorded account's own."""
        levels = self.book.bids if side is Side.BUY else self.book.asks
        key = side, price
        return max(0, level_units(levels.amount_at(price)) - self.taken.get(key, 0) - self._shown.get(key, 0))

    @contextmanager
    def _offered(self, order: NewOrder) -> Iterator[list[Event]]:
        """Put the recorded levels that an order reaches into the engine, and take away what it leaves of them."""
        side = order.side.opposite
        events: list[Event] = []
        placed: dict[int, float] = {}
        # What stands before our own orders of that side is in the engine already, and may be taken like the rest.
        ahead = {price: queue.quantity for price, queue in self._queues[side].items()}
        for price, ticks, quantity in self._reached(order):
            rest = quantity - ahead.get(price, 0)
            if rest > 0:
                number = next(self._numbers)
                events += self._ours(self._engine.submit(NewOrder(number, side, OrderType.LIMIT, rest, ticks)))
                placed[number] = price
        before = {number: self._engine.remaining(number) for number in placed}
        queues = {price: queue for price, queue in self._queues[side].items() if ahead.get(price)}
        try:
            yield events
        finally:
            for price, queue in queues.items():
                self._take_from(side, price, ahead[price] - queue.quantity)
            for number, price in placed.items():
                remaining = self._engine.remaining(number)
                self._take_from(side, price, before[number] - remaining)
                if remaining:
                    self._engine.cancel(number)

    def _take_from(self, side: Side, price: float, quantity: int) -> None:
        """Remember what our orders took from a recorded level, until the book reports it again."""
        if quantity > 0:
            self.taken[side, price] = self.taken.get((side, price), 0) + quantity

    def _reached(self, order: NewOrder) -> Iterator[tuple[float, int, int]]:
        """Return price, price in units and quantity of the levels that an order may take, best first."""
        side = order.side.opposite
        levels = self.book.bids if side is Side.BUY else self.book.asks
        wanted, budget = order.quantity, order.budget
        for price in _prices(levels):
            ticks = level_units(price)
            if order.price is not None and (ticks > order.price if side is Side.SELL else ticks < order.price):
                return
            quantity = self._recorded(side, price)
            if quantity:
                yield price, ticks, quantity
            if wanted is not None:
                wanted -= quantity
            if budget is not None:
                budget -= quantity * ticks
            if (wanted is not None and wanted <= 0) or (budget is not None and budget <= 0):
                return

    def _ours(self, events: list[Event]) -> list[Event]:
        """Return the events that concern our orders, and forget the places of those that have ended."""
        found: list[Event] = []
        for event in events:
            if isinstance(event, Traded):
                if event.maker_id < _FIRST_RECORDED and event.maker_remaining == 0:
                    self._leave(event.maker_id)
                if event.maker_id < _FIRST_RECORDED or event.taker_id < _FIRST_RECORDED:
                    found.append(event)
            elif isinstance(event, Expired | Completed) and event.order_id < _FIRST_RECORDED:
                self._leave(event.order_id)
                found.append(event)
            elif isinstance(event, Prevented):
                found.append(event)
        return found

    def _leave(self, number: int) -> None:
        place = self.places.pop(number, None)
        if place is not None:
            self._queues[place[0]][place[1]].orders.discard(number)
            self._close(*place)

    def _close(self, side: Side, price: float) -> None:
        """Forget a queue in which none of our orders is left."""
        queue = self._queues[side].get(price)
        if queue is not None and not queue.orders:
            del self._queues[side][price]
            queue.clear()


def _is_reached(order: NewOrder, last_price: int) -> bool:
    trigger = order.trigger_price or 0
    return last_price >= trigger if rises_to(order) else last_price <= trigger


def _prices(levels: BookSide) -> Iterator[float]:
    """Return the prices of a side, best first, copying no more of it than is asked for."""
    depth, seen = _FIRST_DEPTH, 0
    while True:
        found = levels.levels(depth)
        yield from (price for price, _ in found[seen:])
        if len(found) < depth:
            return
        depth, seen = 4 * depth, depth
