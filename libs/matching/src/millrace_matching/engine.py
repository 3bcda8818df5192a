"""The matching engine: price first, then time; every call is one indivisible action.

Two guarantees hold after every call: the book is not crossed, and `last_update_id` grew by one for each
`LevelChanged` that the call returned.
"""

from __future__ import annotations

from itertools import islice

from millrace_matching.book import BookSide, Level, RestingOrder
from millrace_matching.errors import DuplicateOrder, InvalidOrder, UnknownOrder, WouldTake, WouldTrigger
from millrace_matching.events import (
    Accepted,
    Canceled,
    Completed,
    Event,
    Expired,
    ExpiryReason,
    LevelChanged,
    Traded,
    Triggered,
)
from millrace_matching.orders import NewOrder, OrderType, SelfTradePrevention, Side, TimeInForce, contradiction
from millrace_matching.pairs import Pairs
from millrace_matching.taker import Taker
from millrace_matching.triggers import Triggers, rises_to


class Engine:
    """One symbol's order book and the rules by which orders meet in it."""

    def __init__(self, *, last_price: int | None = None, last_update_id: int = 0, last_trade_id: int = 0) -> None:
        self.last_price = last_price
        """The price of the last trade; None before any."""
        self.last_update_id = last_update_id
        self.last_trade_id = last_trade_id
        self.bids = BookSide(Side.BUY)
        self.asks = BookSide(Side.SELL)
        self._resting: dict[int, RestingOrder] = {}
        self._triggers = Triggers()
        self._pairs = Pairs()
        # The prices that traded since triggers were last looked at.
        self._low: int | None = None
        self._high: int | None = None

    def __contains__(self, order_id: int) -> bool:
        """Tell whether an order rests or waits."""
        return order_id in self._resting or order_id in self._triggers

    def remaining(self, order_id: int) -> int:
        """Return the resting quantity of an order; 0 when it does not rest."""
        order = self._resting.get(order_id)
        return 0 if order is None else order.remaining

    def side(self, side: Side) -> BookSide:
        """Return the bids or the asks."""
        return self.bids if side is Side.BUY else self.asks

    def levels(self, side: Side, limit: int | None = None) -> list[tuple[int, int]]:
        """(price, total) of each level that is shown, best first; hidden orders do not count."""
        return [(level.price, level.shown) for level in islice(self.side(side).shown_levels(), limit)]

    def cost(self, side: Side, quantity: int, *, skipped_owner: int = 0) -> tuple[int, int]:
        """Return what a market order of this side would find now: (lots, ticks × lots).

        The orders of `skipped_owner` are not counted: self-trade prevention expires them instead.
        """
        lots = product = 0
        for level in self.side(side.opposite).levels():
            taken = min(level.without(skipped_owner), quantity - lots)
            lots += taken
            product += taken * level.price
            if lots == quantity:
                break
        return lots, product

    def within(self, side: Side, budget: int, *, skipped_owner: int = 0) -> tuple[int, int]:
        """Return what a market order of this side would find for a budget, as `cost` does: (lots, ticks × lots)."""
        lots = product = 0
        for level in self.side(side.opposite).levels():
            offered = level.without(skipped_owner)
            taken = min(offered, (budget - product) // level.price)
            lots += taken
            product += taken * level.price
            if taken < offered:
                break
        return lots, product

    def would_trigger(self, order: NewOrder) -> bool:
        """Tell whether a stop or take-profit order would be triggered by the present last price."""
        if self.last_price is None or order.trigger_price is None:
            return False
        if rises_to(order):
            return self.last_price >= order.trigger_price
        return self.last_price <= order.trigger_price

    def submit(self, order: NewOrder) -> list[Event]:
        """Take an order in, let it trade, and let everything happen that its trades trigger.

        Raises:
            InvalidOrder: its fields contradict each other.
            DuplicateOrder: an order of this id rests or waits.
            WouldTake: a limit-maker order would have traded.
            WouldTrigger: its trigger is reached already.
        """
        reason = contradiction(order)
        if reason is not None:
            raise InvalidOrder(reason)
        if order.order_id in self:
            raise DuplicateOrder(order.order_id)
        if order.trigger_price is not None:
            if self.would_trigger(order):
                raise WouldTrigger(order.order_id)
            self._triggers.add(order)
            return [Accepted(order.order_id, waits=True)]
        if order.type is OrderType.LIMIT_MAKER and self.side(order.side.opposite).reaches(order.price):
            raise WouldTake(order.order_id)
        events: list[Event] = [Accepted(order.order_id, waits=False)]
        self._work(order, events)
        self._fire(events)
        return events

    def cancel(self, order_id: int) -> list[Event]:
        """Take an order back.

        Raises:
            UnknownOrder: none of this id rests or waits.
        """
        self._pairs.part(order_id)
        waiting = self._triggers.discard(order_id)
        if waiting is not None:
            return [Canceled(order_id, waiting.quantity or 0)]
        order = self._resting.pop(order_id, None)
        if order is None:
            raise UnknownOrder(order_id)
        level = order.level
        self.side(level.side).remove(order)
        canceled = Canceled(order_id, order.remaining)
        return [canceled] if order.hidden else [canceled, self._changed(level)]

    def reduce(self, order_id: int, quantity: int) -> list[Event]:
        """Lower what an order still wants to `quantity`; it keeps its place in the queue.

        Raises:
            UnknownOrder: none of this id rests or waits.
        """
        if self._triggers.reduce(order_id, quantity):
            return []
        order = self._resting.get(order_id)
        if order is None:
            raise UnknownOrder(order_id)
        order.level.grow(order, quantity - order.remaining)
        order.remaining = quantity
        return [] if order.hidden else [self._changed(order.level)]

    def pair(self, first: int, second: int) -> None:
        """Let the first of two orders that trades, works or is kept from trading end the other.

        Canceling one leaves the other as it is.
        """
        self._pairs.join(first, second)

    def _end_partner(self, order_id: int, events: list[Event]) -> None:
        partner = self._pairs.part(order_id)
        if partner is None:
            return
        events.append(Expired(partner, ExpiryReason.PARTNER))
        if self._triggers.discard(partner) is None:
            resting = self._resting.pop(partner)
            self.side(resting.level.side).remove(resting)
            if not resting.hidden:
                events.append(self._changed(resting.level))

    def _fire(self, events: list[Event]) -> None:
        """Activate every order whose trigger was reached; their trades may reach further triggers."""
        while self._low is not None and self._high is not None and self._triggers:
            order = self._triggers.pop(self._low, self._high)
            if order is None:
                break
            self._end_partner(order.order_id, events)
            events.append(Triggered(order.order_id))
            self._work(order, events)
        self._low = self._high = None

    def _work(self, order: NewOrder, events: list[Event]) -> None:
        """Match an order, then rest or end it."""
        opposite = self.side(order.side.opposite)
        if not opposite.reaches(order.price):
            self._end(order, order.quantity, events)
            return
        if order.time_in_force is TimeInForce.FOK and not self._fills_whole(order, opposite):
            events.append(Expired(order.order_id, ExpiryReason.UNFILLED))
            return
        taker = Taker(order)
        while not taker.prevented and opposite.reaches(order.price):
            level = opposite.best()
            if level is None or taker.wants(level.price) == 0:
                break
            self._take_level(taker, level, events)
        self._settle(taker, opposite, events)

    def _settle(self, taker: Taker, opposite: BookSide, events: list[Event]) -> None:
        """Fill, rest or expire an order that can trade no further."""
        order = taker.order
        if taker.prevented:
            events.append(Expired(order.order_id, ExpiryReason.SELF_TRADE))
        elif taker.remaining == 0:
            events.append(Completed(order.order_id))
        elif taker.remaining is None and taker.traded and (taker.budget == 0 or len(opposite)):
            events.append(Completed(order.order_id))  # the other side has more, the budget has not
        else:
            self._end(order, taker.remaining, events)

    def _end(self, order: NewOrder, remaining: int | None, events: list[Event]) -> None:
        """Rest the remainder of an order in the book, or expire it."""
        if order.price is None or remaining is None or order.time_in_force is not TimeInForce.GTC:
            events.append(Expired(order.order_id, ExpiryReason.UNFILLED))
            return
        resting = self.side(order.side).rest(order.order_id, order.owner, remaining, order.price, hidden=order.hidden)
        self._resting[order.order_id] = resting
        if not resting.hidden:
            events.append(self._changed(resting.level))

    def _take_level(self, taker: Taker, level: Level, events: list[Event]) -> None:
        """Trade with the orders of one level until it, or the taker, is exhausted."""
        side = self.side(level.side)
        shown, last_trade_id, partners = level.shown, self.last_trade_id, self._pairs.partners
        while level.orders and not taker.prevented:
            wanted = taker.wants(level.price)
            if wanted == 0:
                break
            maker = level.first()
            if taker.avoids(maker):
                self._prevent(taker, maker, side, events)
                continue
            if partners and maker.order_id in partners:
                self._end_partner(maker.order_id, events)
            quantity = maker.remaining if wanted is None else min(wanted, maker.remaining)
            taker.take(quantity, level.price)
            taker.traded = True
            self._shrink(maker, quantity, side)
            self.last_trade_id += 1
            events.append(
                Traded(
                    self.last_trade_id,
                    level.price,
                    quantity,
                    maker.order_id,
                    taker.order.order_id,
                    taker.order.side,
                    maker.remaining,
                )
            )
        if self.last_trade_id != last_trade_id:
            self._note_price(level.price)
        if level.shown != shown:
            events.append(self._changed(level))

    def _shrink(self, maker: RestingOrder, quantity: int, side: BookSide) -> None:
        maker.remaining -= quantity
        maker.level.grow(maker, -quantity)
        if maker.remaining == 0:
            side.remove(maker)
            del self._resting[maker.order_id]

    def _prevent(self, taker: Taker, maker: RestingOrder, side: BookSide, events: list[Event]) -> None:
        """Take from the taker, the maker or both what the taker's mode says."""
        prevented = taker.prevent(maker)
        events.append(prevented)
        if prevented.maker_quantity:
            self._shrink(maker, prevented.maker_quantity, side)
            self._end_partner(maker.order_id, events)
        if prevented.maker_ends:
            events.append(Expired(maker.order_id, ExpiryReason.SELF_TRADE))

    def _fills_whole(self, order: NewOrder, opposite: BookSide) -> bool:
        """Tell whether a fill-or-kill order finds its whole quantity within its limit."""
        needed, taker = order.quantity or 0, Taker(order)
        for level in opposite.levels():
            if order.price is not None and (level.price - order.price) * (1 if order.side is Side.BUY else -1) > 0:
                return False
            for maker in level.orders.values():
                if not taker.avoids(maker):
                    needed -= maker.remaining
                elif order.self_trade_prevention is not SelfTradePrevention.EXPIRE_MAKER:
                    return False
                if needed <= 0:
                    return True
        return False

    def _note_price(self, price: int) -> None:
        self.last_price = price
        self._low = price if self._low is None else min(self._low, price)
        self._high = price if self._high is None else max(self._high, price)

    def _changed(self, level: Level) -> LevelChanged:
        self.last_update_id += 1
        return LevelChanged(self.last_update_id, level.side, level.price, level.shown)
