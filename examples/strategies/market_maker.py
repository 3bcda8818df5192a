"""MarketMaker: quotes after Avellaneda and Stoikov. See docs/strategy-library.md."""

from decimal import Decimal
from math import exp, log

from pydantic import Field

from millrace_strategy import (
    BookEvent,
    LocalBook,
    MarketTerms,
    SizedOrder,
    StartEvent,
    StatusEvent,
    StopEvent,
    Strategy,
    StrategyConfiguration,
    smallest_step,
    to_step,
)
from millrace_strategy.execution import Quote, TwoSidedQuote

SAMPLE_MS = 1_000


class MarketMaker(Strategy):
    """Quotes both sides around a price that leans against its inventory.

    After M. Avellaneda and S. Stoikov, "High-frequency trading in a limit order book" (2008), with a horizon that
    never comes nearer: reservation price = mid - q γ σ² T, spread = γ σ² T + (2 / γ) ln(1 + γ / κ), where q is the
    inventory in quotes of `amount`, and σ² the variance of the mid price per second.
    """

    class Configuration(StrategyConfiguration):
        """Settings of the strategy."""

        exchange_id: str
        """Where it trades."""
        symbol: str
        """What it trades."""
        amount: Decimal = Field(gt=0, le=10**12)
        """Size of each quote, in base currency."""
        tick_size: Decimal | None = Field(default=None, gt=0, le=10**6)
        """Smallest step of a price, if it is another than the exchange states."""
        amount_step: Decimal | None = Field(default=None, gt=0, le=10**6)
        """Smallest step of an amount, likewise."""
        risk_aversion: float = Field(default=0.1, gt=0, le=1_000)
        """γ: how strongly prices lean against the inventory."""
        order_intensity: float = Field(default=1.5, gt=0, le=1_000_000)
        """κ: how fast fills become rarer with the distance from the mid price, for 1 of quote currency."""
        horizon_seconds: float = Field(default=60, gt=0, le=86_400)
        """T: how far ahead risk is counted."""
        half_life_seconds: float = Field(default=60, gt=0, le=86_400)
        """After how long a price change counts half for σ²."""
        max_inventory: Decimal = Field(gt=0, le=10**12)
        """Holds at most this, in base currency."""
        min_inventory: Decimal = Field(default=Decimal(0), ge=-(10**12), le=0)
        """Holds at least this; below 0 where base currency, or a short position, is at hand."""
        min_move_ticks: int = Field(default=1, ge=0, le=10_000)
        """An order whose price would move by less than so many ticks stays."""

    configuration: Configuration

    def on_start(self, event: StartEvent) -> None:
        """Cancel what an earlier run left, and begin to measure."""
        settings = self.configuration
        self._variance = 0.0
        self._last_mid: float | None = None
        self._book = self.books[settings.exchange_id, settings.symbol]
        for order in self.orders.open:
            self.trader.cancel_order(order)
        self.markets.override(
            settings.exchange_id, settings.symbol, tick_size=settings.tick_size, amount_step=settings.amount_step
        )
        self.quotes = TwoSidedQuote(self, exchange=settings.exchange_id, symbol=settings.symbol)
        self.every(SAMPLE_MS, self._sample, name="sample")

    def on_order_book(self, event: BookEvent) -> None:
        """Quote anew."""
        if event.book is self._book:
            self._quote()

    def on_status(self, event: StatusEvent) -> None:
        """Withdraw while the book is not trusted."""
        self._quote()

    def on_stop(self, event: StopEvent) -> None:
        """Leave nothing on the exchange."""
        self.quotes.clear()

    def _sample(self) -> None:
        mid = self._book.mid
        if not self._book.trusted or mid is None:
            self._last_mid = None
            return
        if self._last_mid is not None:
            share = exp(-log(2) * SAMPLE_MS / 1_000 / self.configuration.half_life_seconds)
            self._variance = share * self._variance + (1 - share) * (mid - self._last_mid) ** 2
        self._last_mid = mid

    def _quote(self) -> None:
        book, settings = self._book, self.configuration
        if not book.trusted or book.mid is None:
            self.quotes.clear()
            return
        held = self.positions[settings.exchange_id, settings.symbol].quantity
        bid, ask = self._prices(book, float(held / settings.amount))
        self.plot("inventory", held)
        buys = self._amount(settings.max_inventory - held, bid)
        sells = self._amount(held - settings.min_inventory, ask)
        self.quotes.min_move = self._tick(book) * settings.min_move_ticks
        self.quotes.quote(Quote(bid, buys) if buys else None, Quote(ask, sells) if sells else None)

    @property
    def _market(self) -> MarketTerms:
        return self.markets[self.configuration.exchange_id, self.configuration.symbol]

    def _tick(self, book: LocalBook) -> Decimal:
        """Return the step of prices; of an exchange that states none, the one that the best prices show."""
        shown = [level[0] for level in (book.best_bid, book.best_ask) if level is not None]
        return self._market.tick_at(book.mid or 0.0) or smallest_step(shown)

    def _amount(self, room: Decimal, price: Decimal) -> Decimal:
        """Return the size of a quote that may not exceed what there is room for; 0 if it is too little to be sent."""
        fitted = self._market.fit("buy", price, min(room, self.configuration.amount))
        return fitted.amount if isinstance(fitted, SizedOrder) else Decimal(0)

    def _prices(self, book: LocalBook, inventory: float) -> tuple[Decimal, Decimal]:
        """Return the bid and the ask, each within its own side of the book."""
        settings, tick = self.configuration, self._tick(book)
        risk = settings.risk_aversion * self._variance * settings.horizon_seconds
        reservation = (book.mid or 0.0) - inventory * risk
        half_spread = risk / 2 + log(1 + settings.risk_aversion / settings.order_intensity) / settings.risk_aversion
        bid = to_step(reservation - half_spread, tick)
        ask = to_step(reservation + half_spread, tick, up=True)
        if book.best_ask is not None:
            bid = min(bid, Decimal(str(book.best_ask[0])) - tick)
        if book.best_bid is not None:
            ask = max(ask, Decimal(str(book.best_bid[0])) + tick)
        return bid, ask
