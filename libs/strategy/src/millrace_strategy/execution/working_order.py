"""One order at a time on one side of a market, moved to where it is wanted."""

from collections.abc import Mapping
from decimal import Decimal
from itertools import islice
from typing import Final, Literal, NamedTuple

from millrace_core.market_terms import MarketTerms, Unsendable
from millrace_core.orders import OrderKey
from millrace_strategy.events import Event, OrderEvent, ResponseEvent
from millrace_strategy.execution.part import StrategyPart
from millrace_strategy.fills import Reported, fill_of_order
from millrace_strategy.orders import StrategyOrder
from millrace_strategy.pending import PendingRequest
from millrace_strategy.strategy import Strategy
from millrace_strategy.timers import Timer, finite_ms
from millrace_strategy.trader import Number, TimeInForce, exact_number

LONGEST_PAUSE_MS: Final = 30_000
CANCEL_AGAIN_MS: Final = 2_000
"""When an order that is still open is cancelled again: the request may have expired."""
REFUSED_RESTS: Final = 3
"""Refusals in a row after which less than was ever taken counts as too small."""
KEPT_ORDERS: Final = 100
"""Past orders whose late fills are counted."""
_ZERO: Final = Decimal(0)
_MAY_BE_OF_SIZE: Final = ("InvalidOrder", "BadRequest", "OrderNotFillable", "ExchangeError")
"""How ccxt names refusals that may be of a size that is too small."""


class Terms(NamedTuple):
    """What is wanted."""

    price: Decimal
    amount: Decimal


class WorkingOrder(StrategyPart):
    """At most one order on the exchange, for what was last asked for with `set`.

    An order is replaced by cancelling it and, once that is certain, placing the rest anew. A refusal is followed by a
    pause, which doubles with each further one up to 30 s. An IOC or FOK order is tried once. While a request has no
    certain outcome, nothing is placed.

    Prices and amounts are rounded to the steps of the market (`Strategy.markets`): the price away from the other side,
    the amount down. What is too small to be sent is left, which the log says once: nothing is wanted any more.

    Raises:
        ValueError: `side` is neither `buy` nor `sell`, or `pause_ms` not finite.
    """

    def __init__(
        self,
        strategy: Strategy,
        *,
        exchange: str,
        symbol: str,
        side: Literal["buy", "sell"],
        post_only: bool = False,
        reduce_only: bool = False,
        time_in_force: TimeInForce | None = None,
        pause_ms: int = 250,
    ) -> None:
        if side not in ("buy", "sell"):
            raise ValueError(f"side is {side!r}; it must be buy or sell")
        self.exchange, self.symbol, self.side = exchange, symbol, side
        self.filled = _ZERO
        """What all its orders have filled."""
        self.cost = _ZERO
        """What that cost or brought, in quote currency, by the orders' reports."""
        self.base_fees = _ZERO
        """What the exchange has charged for that in base currency, likewise: so much less is held."""
        self.refusals = 0
        """How many requests in a row were refused."""
        self._post_only, self._reduce_only, self._time_in_force = post_only, reduce_only, time_in_force
        self._pause_ms = finite_ms(pause_ms)
        self._wanted: Terms | None = None
        self._filled_before = _ZERO
        """`filled` when `_wanted` was set: what is filled since counts for it."""
        self._placed: Terms | None = None
        self._pending: PendingRequest | None = None
        self._key: OrderKey | None = None
        self._counted: dict[OrderKey, Reported] = {}
        self._counted_fees: dict[OrderKey, Decimal] = {}
        """Fees in base currency, of the same orders."""
        self._requests: dict[str, None] = {}
        self._pause: Timer | None = None
        self._cancel_again: Timer | None = None
        """Set while the exchange may still carry out the last cancellation."""
        self._largest = self._too_small = _ZERO
        """The largest amount that the exchange has taken, and the largest that it has refused; see `REFUSED_RESTS`."""
        self._said_left = False
        super().__init__(strategy, OrderEvent, ResponseEvent)

    @property
    def order(self) -> StrategyOrder | None:
        """Return its open order; None if there is none, or none is known yet."""
        return None if self._key is None else self.strategy.orders.open.get(self._key)

    @property
    def terms(self) -> Terms | None:
        """Return what was asked for; None once it is filled or withdrawn."""
        return self._wanted

    @property
    def remaining(self) -> Decimal:
        """Return how much of what was asked for is not filled yet."""
        return _ZERO if self._wanted is None else self._wanted.amount - (self.filled - self._filled_before)

    @property
    def is_idle(self) -> bool:
        """Tell whether it has no order, none on its way, none to place, and makes no pause."""
        return self._wanted is None and self._pending is None and self._key is None and self._pause is None

    @property
    def market(self) -> MarketTerms:
        """Return the terms of its market."""
        return self.strategy.markets[self.exchange, self.symbol]

    def sends(self, price: Decimal | float, amount: Decimal | float) -> bool:
        """Tell whether so much, rounded, is enough to be sent."""
        return self._unsendable(Decimal(str(price)), Decimal(str(amount))) is None

    def leave(self, price: Decimal | float, amount: Decimal | float) -> None:
        """Say, once until the next order, that so much is not sent because it is too small."""
        reason = self._unsendable(Decimal(str(price)), Decimal(str(amount)))
        if not self._said_left and reason is not None and amount > 0:
            self._said_left = True
            about = {"exchange": self.exchange, "symbol": self.symbol, "side": self.side}
            self.strategy.log.info("too small to be sent", amount=str(amount), reason=reason, **about)

    def set(self, price: Number, amount: Number) -> None:
        """Have an order that fills `amount` from now on at `price`. Repeating what is wanted changes nothing.

        Raises:
            ValueError: one of them is not a number above 0.
        """
        rounded = self.market.round_price(above_zero("price", price), up=self.side == "sell")
        terms = Terms(rounded, above_zero("amount", amount))
        if terms != self._wanted:
            self._wanted, self._filled_before = terms, self.filled
            self._step()

    def clear(self) -> None:
        """Have no order any more."""
        self._wanted = None
        self._step()

    def saved(self) -> dict[str, str] | None:
        """Return what `resume` needs to go on with the present order after a restart, for `self.state`.

        None if it has asked for none yet.
        """
        if not self._requests or self._placed is None:
            return None
        counted = Reported() if self._key is None else self._counted.get(self._key, Reported())
        fees = _ZERO if self._key is None else self._counted_fees.get(self._key, _ZERO)
        return {"request": next(reversed(self._requests)), "counted": str(counted.filled), "baseFees": str(fees)}

    def resume(self, saved: Mapping[str, str]) -> None:
        """Go on with the order of an earlier run: what it has filled since counts, and what is left of it is wanted."""
        self._requests[saved["request"]] = None
        order = self.strategy.orders.of_request(saved["request"])
        if order is None:
            return  # If it appears later, it is cancelled, and its fills count.
        self._counted[order.key] = Reported(Decimal(saved["counted"]))
        self._counted_fees[order.key] = Decimal(saved.get("baseFees", "0"))
        self._count(order)
        if not order.is_final:
            self._take_over(order)

    def adopt(self, order: StrategyOrder) -> None:
        """Take over an open order of an earlier run; what it has filled is not counted.

        Raises:
            ValueError: it is of another market or side, or there is an order already.
        """
        if (order.exchange, order.symbol, order.side) != (self.exchange, self.symbol, self.side) or not self.is_idle:
            raise ValueError(f"this order cannot be adopted here: {order!r}")
        self._counted[order.key] = Reported(order.filled or _ZERO, order.cost)
        self._counted_fees[order.key] = order.base_fees
        self._take_over(order)

    def handle(self, event: Event) -> None:
        """Go on after an answer, or after a change of one of its orders."""
        if isinstance(event, OrderEvent):
            self._order_changed(event.order)
        elif isinstance(event, ResponseEvent) and event.response.request_id in self._requests:
            self._step()

    def _take_over(self, order: StrategyOrder) -> None:
        self._key = order.key
        self._wanted = self._placed = Terms(order.price or _ZERO, (order.amount or _ZERO) - (order.filled or _ZERO))
        self._filled_before = self.filled
        if order.request_id is not None:
            self._requests[order.request_id] = None

    def _order_changed(self, order: StrategyOrder) -> None:
        if order.key in self._counted:
            self._count(order)
            self._step()
        elif order.request_id in self._requests:
            is_current = self._pending is not None and self._pending.request_id == order.request_id
            self._count(order)
            if is_current:
                self._step()
            elif not order.is_final:
                # Its request was answered as if there were no order, and another may rest by now.
                self.strategy.trader.cancel_order(order)

    def _step(self) -> None:
        """Do the next thing that brings the exchange closer to what is wanted; called whenever something changed."""
        if self._pending is not None and not self._is_settled(self._pending):
            return
        if self._key is not None:
            order = self.strategy.orders.get(self._key)
            if order is not None and not order.is_final:
                if self._wanted is None or self._wanted != self._placed:
                    self._cancel(order)
                return
            self._order_ended()
        self._drop_the_rest()
        if self._wanted is not None and self._pause is None:
            self._place(self._wanted)

    def _drop_the_rest(self) -> None:
        """Want nothing any more if all is filled, or what is not cannot be sent."""
        if self._wanted is not None and not self.sends(self._wanted.price, self.remaining):
            if self.market.round_amount(self.remaining) > 0:
                self.leave(self._wanted.price, self.remaining)
            self._wanted = None

    def _unsendable(self, price: Decimal, amount: Decimal) -> str | None:
        """Return why an amount cannot be sent; None if it can."""
        fitted = self.market.fit(self.side, price, amount)
        if isinstance(fitted, Unsendable):
            return fitted.reason
        return "the exchange has refused so little" if fitted.amount <= self._too_small else None

    def _is_settled(self, pending: PendingRequest) -> bool:
        """Tell whether the outcome of the request for an order is certain, and take note of it."""
        order = self.strategy.orders.of_request(pending.request_id)
        if order is not None:
            self._pending, self._key, self.refusals = None, order.key, 0
            self._largest = max(self._largest, order.amount or _ZERO)
            self._count(order)
            return True
        if not pending.is_final or pending.response is None or pending.response.status == "done":
            return False  # The order of an answer `done` will be known.
        self._pending = None
        self._learn_from(pending)
        self._wait(min(self._pause_ms * 2**self.refusals, LONGEST_PAUSE_MS))
        self.refusals += 1
        if self._is_tried_once:
            self._wanted = None
        return True

    def _learn_from(self, pending: PendingRequest) -> None:
        """Take it that an amount is too small, if it is refused again and again and a larger one was not.

        Not every exchange states its least sizes, and there is no common word for such a refusal.
        """
        error = None if pending.response is None else pending.response.error
        amount = self.market.round_amount(self.remaining)
        is_of_size = error is not None and error.kind in _MAY_BE_OF_SIZE and amount < self._largest
        if is_of_size and self.refusals + 1 >= REFUSED_RESTS:
            self._too_small = max(self._too_small, amount)

    @property
    def _is_tried_once(self) -> bool:
        """Whether its price is one of the moment: what was not filled, or was refused, is not tried again."""
        return self._time_in_force in ("IOC", "FOK")

    def _order_ended(self) -> None:
        self._key = None
        if self._cancel_again is not None:
            self._cancel_again.cancel()
            self._cancel_again = None
        wanted = self._wanted
        if wanted is not None and wanted == self._placed:
            if self._is_tried_once:
                self._wanted = None
            elif self.sends(wanted.price, self.remaining):
                # Nobody here has cancelled it: it must not turn into a loop of orders.
                self._wait(self._pause_ms)
        self._placed = None

    def _place(self, wanted: Terms) -> None:
        self._placed, self._said_left = wanted, False
        market = self.market  # Which may have changed since it was asked for.
        self._pending = self.strategy.trader.create_order(
            exchange=self.exchange,
            symbol=self.symbol,
            side=self.side,
            type="limit",
            amount=market.round_amount(self.remaining),
            price=market.round_price(wanted.price, up=self.side == "sell"),
            post_only=self._post_only,
            reduce_only=self._reduce_only,
            time_in_force=self._time_in_force,
        )
        self._requests[self._pending.request_id] = None
        for old in list(islice(self._requests, max(len(self._requests) - KEPT_ORDERS, 0))):
            del self._requests[old]

    def _cancel(self, order: StrategyOrder) -> None:
        def over() -> None:
            self._cancel_again = None
            self._step()

        if self._cancel_again is None:
            self.strategy.trader.cancel_order(order)
            self._cancel_again = self.strategy.after(CANCEL_AGAIN_MS, over, name="cancel again")

    def _count(self, order: StrategyOrder) -> None:
        known = self._counted.get(order.key, Reported())
        self.filled += max((order.filled or _ZERO) - known.filled, _ZERO)
        # They may be reported later than what was filled.
        self.base_fees += order.base_fees - self._counted_fees.get(order.key, _ZERO)
        self._counted_fees[order.key] = order.base_fees
        if (found := fill_of_order(order, known)) is not None:
            self.cost += found[0].fill.value
        cost = known.cost if found is None else found[1].cost
        self._counted[order.key] = Reported(max(order.filled or _ZERO, known.filled), cost)
        for old in list(islice(self._counted, max(len(self._counted) - KEPT_ORDERS, 0))):
            if old != self._key:
                del self._counted[old]
                self._counted_fees.pop(old, None)

    def _wait(self, ms: int) -> None:
        def over() -> None:
            self._pause = None
            self._step()

        self._pause = self.strategy.after(ms, over, name="pause")


def above_zero(name: str, value: Number | None) -> Decimal:
    """Return a number as a decimal.

    Raises:
        ValueError: it is not a finite number above 0.
    """
    number = exact_number(name, value)
    if number is None or not number > 0:
        raise ValueError(f"{name} is {value!r}; it must be above 0")
    return number
