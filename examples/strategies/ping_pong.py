"""PingPong: a buy, then a sell, in the middle of the spread, again and again. See examples/Examples.PingPong.md."""

from decimal import Decimal
from typing import Literal

from pydantic import Field

from millrace_core.requests import CreatePayload
from millrace_strategy import (
    BookEvent,
    Context,
    LocalBook,
    MarketTerms,
    OrderEvent,
    PendingRequest,
    ResponseEvent,
    SizedOrder,
    StartEvent,
    StopEvent,
    Strategy,
    StrategyConfiguration,
    StrategyOrder,
    Unsendable,
    smallest_step,
    to_step,
)

Side = Literal["buy", "sell"]
MAX_BACKOFF_MS = 30_000
LEVELS_THAT_SHOW_THE_TICK = 10
ALL_BUT_FEES = Decimal("0.98")
"""Share of a whole buy that is left at least when the exchange has taken its fee from it."""


class PingPongConfiguration(StrategyConfiguration):
    """PingPong's options."""

    amount: Decimal = Field(gt=0, le=10**18)
    """How much each buy is for, in base currency."""
    maximum_threshold_ms: int = Field(default=2_000, gt=0, le=86_400_000)
    """How long an order may rest before it is cancelled and placed again."""
    exchange_id: str | None = None
    """Where it trades; needed only when it is subscribed to more than one order book."""
    symbol: str | None = None
    """What it trades; likewise."""
    tick_size: Decimal | None = Field(default=None, gt=0, le=10**18)
    """The smallest step of a price, if it is another than the exchange states; else the book's prices show it."""
    backoff_ms: int = Field(default=250, gt=0, le=MAX_BACKOFF_MS)
    """The pause after a refusal; doubled with each that follows, up to 30 s."""


class PingPong(Strategy):
    """Buys `amount`, then sells what it bought, one order at a time, each in the middle of the spread."""

    Configuration = PingPongConfiguration
    configuration: PingPongConfiguration

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._book = self._only_book()
        self._bought = Decimal(0)
        """What was bought and is not sold again yet."""
        self._request: PendingRequest | None = None
        """The order on its way to the exchange."""
        self._tick: Decimal | None = None
        self._refusals = 0
        self._is_backing_off = False
        self._too_small = Decimal(0)
        """The rest that the exchange has refused to sell; it may be too little, which not every exchange states."""
        self._said: str | None = None
        """Why it said last that it cannot buy."""
        self.markets.override(self._book.exchange, self._book.symbol, tick_size=self.configuration.tick_size)

    def on_start(self, event: StartEvent) -> None:
        """Take over what an earlier life left: its stock is sold, its open orders are cancelled."""
        for order in sorted(self.orders, key=lambda order: order.timestamp or 0):
            if self._is_on_our_book(order):
                # Older orders may be forgotten: a sell whose buy is unknown must not count below nothing.
                self._bought = max(Decimal(0), self._bought + _moved(order))
        for order in self.orders.open:
            self._cancel(order)

    def on_order_book(self, event: BookEvent) -> None:
        """Place an order when none is out."""
        if event.book is self._book:
            self._quote()

    def on_response(self, event: ResponseEvent) -> None:
        """Back off when refused; an `unknown` outcome is waited for: its order may be there."""
        response = event.response
        if self._request is None or response.request_id != self._request.request_id or not self._request.is_final:
            return
        if response.status == "rejected":
            self._learn_from(self._request)
        self._request = None
        if response.status == "done":
            self._refusals = 0
            return
        self._back_off(response.error.kind if response.error else response.status)

    def on_order(self, event: OrderEvent) -> None:
        """Count the fills, end what rests too long, and go on when an order has ended."""
        order = event.order
        if not self._is_on_our_book(order):
            return
        self._bought += _moved(order) - (_moved(event.previous) if event.previous else Decimal(0))
        self.plot("held", self._bought)
        if order.is_final:
            self._quote()
        elif event.previous is None:
            self.after(self.configuration.maximum_threshold_ms, lambda: self._cancel(order), name="maximumThresholdMs")

    def on_stop(self, event: StopEvent) -> None:
        """Leave nothing on the exchange."""
        for order in self.orders.open:
            self.trader.cancel_order(order)

    def _quote(self) -> None:
        if self._request is not None or self._is_backing_off or self.orders.open:
            return
        if not self._book.trusted or self._book.mid is None:
            return
        # What is too little to be sold is sold together with what is bought next.
        if isinstance(order := self._fit("sell", self._bought), SizedOrder):
            self._place("sell", order)
        elif isinstance(order := self._fit("buy", self.configuration.amount), SizedOrder):
            self._place("buy", order)
        elif order.reason != self._said:
            self._said = order.reason
            self.log.warning("the amount cannot be bought", reason=order.reason)

    def _fit(self, side: Side, amount: Decimal) -> SizedOrder | Unsendable:
        """Return an order in the middle of the spread, as the exchange takes it, or why it would refuse it."""
        market = self._market
        self._tick = market.tick_at(self._book.mid or 0.0) or seen_tick(self._book, self._tick)
        price = middle(self._book, side, self._tick)
        fitted = market.fit(side, Decimal(0) if price is None else price, amount)
        if side == "sell" and isinstance(fitted, SizedOrder) and fitted.amount <= self._too_small:
            return Unsendable("the exchange has refused so little")
        return fitted

    def _place(self, side: Side, order: SizedOrder) -> None:
        self._said = None
        self._request = self.trader.create_order(
            exchange=self._book.exchange,
            symbol=self._book.symbol,
            side=side,
            type="limit",
            amount=order.amount,
            price=order.price,
            post_only=True,
        )

    def _learn_from(self, refused: PendingRequest) -> None:
        """Buy next if a rest is refused, as it may be too little to be sold; if that is refused too, sell again."""
        payload = refused.request.payload
        if isinstance(payload, CreatePayload):
            is_rest = payload.side == "sell" and self._bought < self.configuration.amount * ALL_BUT_FEES
            self._too_small = (payload.amount_base or Decimal(0)) if is_rest else Decimal(0)

    def _cancel(self, order: StrategyOrder) -> None:
        """Cancel until it has ended: a request may expire, and a cancelled order may have filled before."""
        if order not in self.orders.open:
            return
        self.trader.cancel_order(order)
        self.after(self.configuration.maximum_threshold_ms, lambda: self._cancel(order), name="cancel again")

    def _back_off(self, reason: str) -> None:
        pause_ms = min(self.configuration.backoff_ms * 2**self._refusals, MAX_BACKOFF_MS)
        self._refusals += 1
        self._is_backing_off = True
        self.log.warning("order refused", reason=reason, pause_ms=pause_ms)
        self.after(pause_ms, self._go_on, name="backoff")

    def _go_on(self) -> None:
        self._is_backing_off = False
        self._quote()

    def _is_on_our_book(self, order: StrategyOrder) -> bool:
        return (order.exchange, order.symbol) == (self._book.exchange, self._book.symbol)

    @property
    def _market(self) -> MarketTerms:
        return self.markets[self._book.exchange, self._book.symbol]

    def _only_book(self) -> LocalBook:
        wanted = self.configuration
        books = [
            book
            for book in self.books.values()
            if wanted.exchange_id in (None, book.exchange) and wanted.symbol in (None, book.symbol)
        ]
        if len(books) != 1:
            found = ", ".join(f"{book.exchange} {book.symbol}" for book in self.books.values()) or "none"
            raise ValueError(
                "PingPong trades on one order book: name it by exchangeId and symbol; subscribed to " + found
            )
        return books[0]


def middle(book: LocalBook, side: Side, tick: Decimal) -> Decimal | None:
    """Return the price nearest to the middle of the spread at which an order rests; None when a side is empty.

    A buy is rounded down and a sell up, so neither reaches the other side, however narrow the spread.
    """
    bid, ask = book.best_bid, book.best_ask
    if bid is None or ask is None:
        return None
    exact = (Decimal(str(bid[0])) + Decimal(str(ask[0]))) / 2
    return to_step(exact, tick, up=side == "sell")


def seen_tick(book: LocalBook, so_far: Decimal | None) -> Decimal:
    """Return the smallest step that prices have shown: at first those of several levels, then of the best."""
    depth = LEVELS_THAT_SHOW_THE_TICK if so_far is None else 1
    tick = smallest_step(price for price, _ in book.bids(depth) + book.asks(depth))
    return tick if so_far is None else min(tick, so_far)


def _moved(order: StrategyOrder) -> Decimal:
    """Return how much base currency an order has brought, after fees in it; below 0 for a sale."""
    filled = order.filled or Decimal(0)
    return (filled if order.side == "buy" else -filled) - order.base_fees
