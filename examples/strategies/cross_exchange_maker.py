"""CrossExchangeMaker: quotes on one exchange, hedges on another. See docs/strategy-library.md."""

from decimal import Decimal
from typing import Literal

from pydantic import Field

from millrace_strategy import (
    BookEvent,
    Event,
    StartEvent,
    StatusEvent,
    StopEvent,
    Strategy,
    StrategyConfiguration,
    to_step,
)
from millrace_strategy.execution import Quote, TwoSidedQuote, WorkingOrder

BPS = Decimal(10_000)


class CrossExchangeMaker(Strategy):
    """Quotes both sides on one exchange at another's prices and a margin; what is filled is hedged there at once.

    While more than one quote is not hedged, or a book is not trusted, it quotes nothing.
    """

    class Configuration(StrategyConfiguration):
        """Settings of the strategy."""

        maker_exchange_id: str
        """Where it quotes."""
        hedge_exchange_id: str
        """Where it hedges."""
        symbol: str
        """What it trades on both."""
        amount: Decimal = Field(gt=0, le=10**12)
        """Size of each quote, in base currency."""
        margin_bps: Decimal = Field(gt=0, le=10_000)
        """How far quotes are from the hedging exchange's best prices; it has to cover both fees."""
        slippage_bps: Decimal = Field(default=Decimal(20), ge=0, le=10_000)
        """How much worse than the best price a hedge may be."""
        tick_size: Decimal = Field(gt=0, le=10**6)
        """Smallest step of a price, on both exchanges."""
        amount_step: Decimal = Field(gt=0, le=10**6)
        """Smallest step of an amount, on both exchanges."""

    configuration: Configuration

    def on_start(self, event: StartEvent) -> None:
        """Cancel what an earlier run left; what it had not hedged is hedged."""
        settings = self.configuration
        for order in self.orders.open:
            self.trader.cancel_order(order)
        self._maker = self.books[settings.maker_exchange_id, settings.symbol]
        self._hedge = self.books[settings.hedge_exchange_id, settings.symbol]
        self.quotes = TwoSidedQuote(
            self, exchange=settings.maker_exchange_id, symbol=settings.symbol, min_move=settings.tick_size
        )
        sides: tuple[Literal["buy", "sell"], ...] = ("buy", "sell")
        self._hedging = {
            side: WorkingOrder(
                self, exchange=settings.hedge_exchange_id, symbol=settings.symbol, side=side, time_in_force="IOC"
            )
            for side in sides
        }  # fmt: skip

    def on_order_book(self, event: BookEvent) -> None:
        """Hedge and quote anew."""
        self._trade()

    def on_order(self, event: Event) -> None:
        """Hedge what was filled, at once."""
        self._trade()

    def on_status(self, event: StatusEvent) -> None:
        """Withdraw while a book is not trusted."""
        self._trade()

    def on_stop(self, event: StopEvent) -> None:
        """Leave nothing on the exchange."""
        self.quotes.clear()

    def _trade(self) -> None:
        settings, hedge = self.configuration, self._hedge
        held = self.positions[settings.maker_exchange_id, settings.symbol].quantity
        unhedged = held + self.positions[settings.hedge_exchange_id, settings.symbol].quantity
        self.plot("unhedged", unhedged)
        if hedge.trusted:
            self._balance(unhedged)
        bid, ask = hedge.best_bid, hedge.best_ask
        is_sound = hedge.trusted and self._maker.trusted and abs(unhedged) <= settings.amount
        if not is_sound or bid is None or ask is None:
            self.quotes.clear()
            return
        margin = settings.margin_bps / BPS
        buy = to_step(Decimal(str(bid[0])) * (1 - margin), settings.tick_size)
        sell = to_step(Decimal(str(ask[0])) * (1 + margin), settings.tick_size, up=True)
        self.quotes.quote(Quote(buy, settings.amount), Quote(sell, settings.amount))

    def _balance(self, unhedged: Decimal) -> None:
        amount = to_step(abs(unhedged), self.configuration.amount_step)
        best = self._hedge.best_bid if unhedged > 0 else self._hedge.best_ask
        if not amount or best is None or not all(order.is_idle for order in self._hedging.values()):
            return
        slippage, exact = self.configuration.slippage_bps / BPS, Decimal(str(best[0]))
        if unhedged > 0:
            self._hedging["sell"].set(to_step(exact * (1 - slippage), self.configuration.tick_size), amount)
        else:
            price = to_step(exact * (1 + slippage), self.configuration.tick_size, up=True)
            self._hedging["buy"].set(price, amount)
