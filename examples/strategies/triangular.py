"""Triangular: three markets of one exchange. See docs/strategy-library.md."""

from decimal import Decimal
from typing import Literal, NamedTuple

from pydantic import Field

from millrace_strategy import (
    BookEvent,
    Event,
    LocalBook,
    SizedOrder,
    StartEvent,
    StopEvent,
    Strategy,
    StrategyConfiguration,
)
from millrace_strategy.execution import WorkingOrder

BPS = Decimal(10_000)
Side = Literal["buy", "sell"]


class _Leg(NamedTuple):
    """One of the three trades of a round."""

    book: LocalBook
    side: Side


class Triangular(Strategy):
    """Trades quote currency into two others and back, one market after the other, when the round earns enough.

    A leg takes the whole of what the one before it received, at the market's best prices. If the first leg finds its
    price gone, nothing has happened; later ones are repeated at the price of the moment until their input is used up.
    """

    class Configuration(StrategyConfiguration):
        """Settings of the strategy."""

        exchange_id: str
        """Where it trades."""
        quote: str
        """Currency that rounds begin and end with, such as USDT."""
        bridge: str
        """Currency of the second market's prices, such as BTC."""
        base: str
        """The third currency, such as ETH: the markets are bridge/quote, base/bridge and base/quote."""
        cost: Decimal = Field(gt=0, le=10**12)
        """How much a round begins with, in quote currency."""
        bridge_step: Decimal | None = Field(default=None, gt=0, le=10**6)
        """Smallest step of an amount of the bridge currency, if it is another than the exchange states."""
        base_step: Decimal | None = Field(default=None, gt=0, le=10**6)
        """Smallest step of an amount of the base currency, likewise."""
        fee_bps: Decimal = Field(ge=0, le=1_000)
        """Fee of each trade, in hundredths of a percent."""
        min_profit_bps: Decimal = Field(default=Decimal(5), ge=0, le=10_000)
        """Profit after fees below which it does not trade."""

    configuration: Configuration

    def on_start(self, event: StartEvent) -> None:
        """Take the three books."""
        settings = self.configuration
        bridge, cross, base = (
            self.books[settings.exchange_id, symbol]
            for symbol in (
                f"{settings.bridge}/{settings.quote}",
                f"{settings.base}/{settings.bridge}",
                f"{settings.base}/{settings.quote}",
            )
        )
        for book, step in ((bridge, settings.bridge_step), (cross, settings.base_step), (base, settings.base_step)):
            self.markets.override(book.exchange, book.symbol, amount_step=step)
        self._rounds = (
            (_Leg(bridge, "buy"), _Leg(cross, "buy"), _Leg(base, "sell")),
            (_Leg(base, "buy"), _Leg(cross, "sell"), _Leg(bridge, "sell")),
        )
        self._legs: list[_Leg] = []
        """What is left of the present round, its present leg first."""
        self._input = self._received = Decimal(0)
        self._order: WorkingOrder | None = None

    def on_order_book(self, event: BookEvent) -> None:
        """Go on with a round, or begin one that pays."""
        if self._legs:
            self._go_on()
        elif all(leg.book.trusted for leg in self._rounds[0]):
            for legs in self._rounds:
                if self._proceeds(legs) >= self.configuration.cost * (1 + self.configuration.min_profit_bps / BPS):
                    self._legs, self._input, self._received = list(legs), self.configuration.cost, Decimal(0)
                    self._go_on()
                    return

    def on_order(self, event: Event) -> None:
        """Go on when an order has ended."""
        self._go_on()

    on_response = on_order

    def on_stop(self, event: StopEvent) -> None:
        """Say what a round leaves open."""
        if self._legs:
            self.log.warning("stopped within a round", next=str(self._legs[0].book.symbol), input=str(self._input))

    def _proceeds(self, legs: tuple[_Leg, ...]) -> Decimal:
        """Return how much quote currency a round would end with; 0 if a part of it is too small to be sent."""
        held, share = float(self.configuration.cost), 1 - float(self.configuration.fee_bps / BPS)
        for leg in legs:
            walk = leg.book.walk("buy", cost=held) if leg.side == "buy" else leg.book.walk("sell", amount=held)
            if not walk.is_complete or not self._fitting(leg, walk.worst_price or 0.0, walk.amount):
                return Decimal(0)
            held = (walk.amount if leg.side == "buy" else walk.cost) * share
        return Decimal(str(held))

    def _go_on(self) -> None:
        """Send the next order of the round, when the last one has ended."""
        if not self._legs or (self._order is not None and not self._order.is_idle):
            return
        if self._order is not None:
            is_first = len(self._legs) == len(self._rounds[0])
            self._count(self._order)
            if is_first and not self._received:
                self._legs = []  # Its price was gone.
                return
            self._input *= not is_first  # What the first leg could not use stays where it is.
        while self._legs:
            leg = self._legs[0]
            price, amount = self._size(leg)
            if not leg.book.trusted or (price is None and self._input > 0):
                return
            if amount > 0 and price is not None:
                self._send(leg, price, amount)
                return
            if self._input > 0:
                self.log.info("too small to be sent", symbol=str(leg.book.symbol), input=str(self._input))
            self._legs, self._input, self._received = self._legs[1:], self._received, Decimal(0)
        self.log.info("round ended", proceeds=str(self._input))

    def _count(self, order: WorkingOrder) -> None:
        """Count what the last order of the present leg has used and received, after its fee."""
        used, got = (order.cost, order.filled) if order.side == "buy" else (order.filled, order.cost)
        self._input -= used
        self._received += got * (1 - self.configuration.fee_bps / BPS)
        order.detach()
        self._order = None

    def _size(self, leg: _Leg) -> tuple[float | None, Decimal]:
        """Return the price and the amount at which a leg uses up its input; 0 if that is too small to be sent."""
        left = float(self._input)
        walk = leg.book.walk("buy", cost=left) if leg.side == "buy" else leg.book.walk("sell", amount=left)
        exact = self._input / Decimal(str(walk.worst_price)) if leg.side == "buy" and walk.worst_price else self._input
        return walk.worst_price, self._fitting(leg, walk.worst_price or 0.0, exact)

    def _fitting(self, leg: _Leg, price: float, amount: Decimal | float) -> Decimal:
        """Return how much of an amount the exchange takes; 0 if it is too small to be sent."""
        fitted = self.markets[leg.book.exchange, leg.book.symbol].fit(leg.side, price, amount)
        return fitted.amount if isinstance(fitted, SizedOrder) else Decimal(0)

    def _send(self, leg: _Leg, price: float, amount: Decimal) -> None:
        self._order = WorkingOrder(
            self, exchange=leg.book.exchange, symbol=leg.book.symbol, side=leg.side, time_in_force="IOC"
        )
        self._order.set(price, amount)
