"""What one account could come to hold: balances and positions as the exchange last told them, and every order since.

The exchange's word counts, not that of a stream that may be late: before an order is refused, the exchange is asked
again. Between two questions the exposure is an upper bound: an order counts whole until its end is known.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from time import monotonic
from typing import Final

from millrace_core.market import ExchangePosition
from millrace_core.market_terms import MarketTerms
from millrace_core.messages import Response
from millrace_core.orders import Order
from millrace_exchange import Exchange, Retryable
from millrace_executor.risk.checks import NO_MARKET

CONFIRMED_FOR_S: Final = 60.0
"""Orders that others placed in the account are not seen in between."""
CONFIRM_PAUSE_S: Final = 5.0
"""The least time between two questions: on Binance both together cost a sixtieth of what a minute allows."""


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """An order that is on its way, is open, or has ended since the exchange was last asked."""

    symbol: str
    side: str
    base: Decimal
    """The most that it can still trade, or has traded unseen, in base currency."""
    quote: Decimal
    """The same in quote currency."""
    market: MarketTerms
    source: str | None = None
    order_id: str | None = None
    """The exchange's; None until it answered."""
    replaces: str | None = None
    """For an edit on its way: the id of the order that it changes."""
    replaced_left: Decimal | None = None
    """What was left of that order when the edit was judged, in base currency; None if that is not known."""
    is_open: bool = True
    is_under_way: bool = True
    """Whether its request is being carried out: what the exchange lists meanwhile proves nothing about it."""
    is_fresh: bool = True
    """Whether it was approved after the exchange last told the balances: nothing that it traded is in them."""

    def ended(self, order: Order) -> "PlacedOrder":
        """Return it as far as it traded."""
        if order.filled is None:
            return replace(self, is_open=False)
        base = _in_base(order.filled, self.market, order.average or order.price)
        cost = self.quote if order.cost is None else order.cost
        return replace(self, is_open=False, base=base, quote=cost)

    def replaced(self, left: Decimal | None) -> "PlacedOrder":
        """Return it as far as it may have traded unseen, when so much of it was left and another took its place."""
        traded = self.base if left is None else max(self.base - left, Decimal(0))
        quote = self.quote * traded / self.base if self.base else Decimal(0)
        return replace(self, is_open=False, base=traded, quote=quote, is_fresh=self.is_fresh and left is not None)

    def is_replaced_by(self, our_id: str, replaces: str | None) -> bool:
        """Tell whether it is the open order, known here by our id, that an edit changes."""
        return self.is_open and replaces is not None and replaces in (our_id, self.order_id)

    def added(self, currency: str) -> Decimal:
        """Return what it adds to a balance at most; below zero if it has ended and was paid with that currency."""
        if self.market.is_contract or currency not in (self.market.base, self.market.quote):
            return Decimal(0)
        is_base = currency == self.market.base
        size = self.base if is_base else self.quote
        if is_base == (self.side == "buy"):
            return size
        return Decimal(0) if self.is_open or not self.is_fresh else -size


class AccountExposure:
    """One account's exposure."""

    def __init__(self, exchange: Exchange, source_of: Callable[[Order], Awaitable[str | None]]) -> None:
        """`source_of` returns whose order it is, of one that was placed before."""
        self._exchange = exchange
        self._source_of = source_of
        self._orders: dict[str, PlacedOrder] = {}
        """By our id, or for an order of somebody else by the exchange's."""
        self._balances: Mapping[str, Decimal] = {}
        self._positions: Mapping[str, Decimal] = {}
        """By symbol, in base currency; short ones below zero."""
        self._asks_positions = False
        self._confirmed_s = float("-inf")
        self._asking = asyncio.Lock()

    @property
    def needs_confirming(self) -> bool:
        """Tell whether the exchange was not asked lately."""
        return monotonic() > self._confirmed_s + CONFIRMED_FOR_S

    def approved(self, our_id: str, order: PlacedOrder) -> None:
        """Count an order that is about to be sent."""
        self._orders[our_id] = order

    def answered(self, our_id: str, answer: Response) -> None:
        """Learn the final answer to a request: an order that was not placed counts no more."""
        placed = self._orders.get(our_id)
        if placed is None:
            for order in answer.orders or ([] if answer.order is None else [answer.order]):
                self._ended(order)
        elif answer.status != "done" or answer.order is None:
            del self._orders[our_id]
        else:
            self._forget_replaced(placed, answer.order)
            made = replace(placed, order_id=answer.order.id, replaces=None, is_under_way=False)
            self._orders[our_id] = made.ended(answer.order) if answer.order.is_final else made

    def unanswered(self, our_id: str) -> None:
        """Learn that a request is over here without a final answer: the exchange's next list of open orders decides."""
        if (placed := self._orders.get(our_id)) is not None:
            self._orders[our_id] = replace(placed, is_under_way=False)

    async def confirm(self, *, with_positions: bool) -> None:
        """Ask the exchange what is open and held, unless it was asked within the last `CONFIRM_PAUSE_S`.

        Raises:
            ExchangeError: it cannot be asked.
        """
        async with self._asking:
            self._asks_positions |= with_positions
            if monotonic() < self._confirmed_s + CONFIRM_PAUSE_S:
                return
            began_s, known = monotonic(), dict(self._orders)
            # Balances after orders: what trades in between counts twice, not never.
            still_open = await self._exchange.execution.fetch_open_orders()
            balances = await self._exchange.account.fetch_balance()
            positions = await self._exchange.account.fetch_positions() if self._asks_positions else []
            listed = await self._listed(still_open, known)
            self._balances = {code: held.net or Decimal(0) for code, held in balances.items()}
            self._positions = self._held(positions)
            self._take(known, listed)
            self._confirmed_s = began_s

    def open_orders(self, source: str | None = None) -> int:
        """Return how many orders are open or on their way, of one source or of all."""
        return sum(
            order.is_open and order.replaces is None and source in (None, order.source)
            for order in self._orders.values()
        )

    def holding(
        self, currency: str, *, adding: Decimal, side: str, without: str | None, left: Decimal | None = None
    ) -> Decimal:
        """Return the most that could be held of a currency once all open orders, and `adding` on a side, have traded.

        Of contracts in that base currency, the larger of what could be long and short. `without` names an order, by
        either id, that an edit takes the place of when so much of it is `left`: what it may have traded counts on.
        """
        orders = [
            order.replaced(left) if order.is_replaced_by(our_id, without) else order
            for our_id, order in self._orders.items()
        ]
        spot = self._balances.get(currency, Decimal(0)) + sum(order.added(currency) for order in orders)
        contracts = [order for order in orders if order.market.is_contract and order.market.base == currency]
        net = sum((size for symbol, size in self._positions.items() if symbol.split("/")[0] == currency), Decimal(0))
        if not contracts and not net:
            return spot + adding
        sides = {"buy": Decimal(0), "sell": Decimal(0)}
        for order in contracts:
            sides[order.side] += order.base
        sides[side] += adding
        return max(net + sides["buy"], sides["sell"] - net)

    async def _listed(self, still_open: Sequence[Order], known: Mapping[str, PlacedOrder]) -> dict[str, PlacedOrder]:
        """Return what the exchange lists, by our ids; of an order that is not known here, Redis may know the source.

        Raises:
            Retryable: the exchange does not say what an order is.
        """
        listed: dict[str, PlacedOrder] = {}
        for order in still_open:
            # Not every exchange refuses a second order under the same id.
            if (our_id := order.client_order_id) is None or our_id in listed:
                our_id = f"{order.symbol} {order.id}"
            listed[our_id] = self._placed(order)
        sources = await asyncio.gather(
            *(self._source_of(order) for our_id, order in zip(listed, still_open, strict=True) if our_id not in known)
        )
        earlier = iter(sources)
        return {
            our_id: replace(placed, source=known[our_id].source if our_id in known else next(earlier))
            for our_id, placed in listed.items()
        }

    def _placed(self, order: Order) -> PlacedOrder:
        left = order.amount if order.remaining is None else order.remaining
        if order.symbol is None or order.side is None or left is None:
            text = f"the exchange does not say symbol, side or amount of the open order {order.id}"
            raise Retryable(text, exchange=self._exchange.id, action="fetchOpenOrders", kind="BadResponse")
        market = self._exchange.rules.terms(order.symbol) or NO_MARKET
        price = order.price or order.trigger_price
        base = _in_base(left, market, price)
        return PlacedOrder(
            order.symbol,
            order.side,
            base,
            base * (price or Decimal(0)),
            market,
            order_id=order.id,
            is_under_way=False,
            is_fresh=False,
        )

    def _take(self, known: Mapping[str, PlacedOrder], listed: Mapping[str, PlacedOrder]) -> None:
        """Hold what the exchange listed, and what was under way or was answered while it was asked."""
        kept = {
            our_id: replace(order, is_fresh=False)
            for our_id, order in self._orders.items()
            if order.is_under_way or known.get(our_id) != order
        }
        self._orders = {**listed, **kept}

    def _forget_replaced(self, placed: PlacedOrder, made: Order) -> None:
        if placed.replaces is None:
            return
        for our_id, order in self._orders.items():
            is_same = order.is_open and order.order_id == made.id
            if order is not placed and (is_same or order.is_replaced_by(our_id, placed.replaces)):
                self._orders[our_id] = order.replaced(placed.replaced_left)

    def _ended(self, order: Order) -> None:
        if not order.is_final:
            return
        for our_id, placed in self._orders.items():
            if placed.order_id == order.id and order.symbol in (None, placed.symbol):
                self._orders[our_id] = placed.ended(order)

    def _held(self, positions: list[ExchangePosition]) -> dict[str, Decimal]:
        """Return positions by symbol, in base currency, short ones below zero."""
        found: dict[str, Decimal] = {}
        for position in positions:
            if (market := self._exchange.rules.terms(position.symbol)) is None:
                continue
            price = None if position.mark_price is None else Decimal(repr(position.mark_price))
            size = _in_base(Decimal(repr(position.contracts)), market, price)
            found[position.symbol] = found.get(position.symbol, Decimal(0)) + (
                -size if position.side == "short" else size
            )
        return found


def _in_base(amount: Decimal, market: MarketTerms, price: Decimal | None) -> Decimal:
    """Return an amount, or contracts, in base currency; of inverse ones without a price much more, never less."""
    size = amount * market.contract_size
    return size / price if market.is_inverse and price else size


@dataclass(frozen=True, slots=True)
class BoundExposure:
    """The exposure that some limits bound: of one account, or of all of a tenant; of one source, or of all."""

    account: AccountExposure
    """That of the account on which the order is to be placed."""
    others: Sequence[AccountExposure] = ()
    source: str | None = None
    without: str | None = None
    """Id of the order that an edit takes the place of."""
    left: Decimal | None = None
    """What is left of that order, in base currency; None if that is not known."""

    def open_orders(self) -> int:
        """Return how many orders are open or on their way."""
        return sum(each.open_orders(self.source) for each in (self.account, *self.others))

    def holding(self, currency: str, *, adding: Decimal, side: str) -> Decimal:
        """Return the largest holding that open orders could lead to, with `adding` to come on a side."""
        held = self.account.holding(currency, adding=adding, side=side, without=self.without, left=self.left)
        elsewhere = (each.holding(currency, adding=Decimal(0), side=side, without=None) for each in self.others)
        return held + sum(elsewhere)
