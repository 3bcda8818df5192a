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
)
from millrace_strategy.execution import Quote, TwoSidedQuote, WorkingOrder

BPS = Decimal(10_000)


class CrossExchangeMaker(Strategy):
    """Quotes both sides on one exchange at another's prices and a margin; what is filled is hedged there at once.

    While more than one quote is not hedged, or a book is not trusted, it quotes nothing. What is too little to be
    hedged waits for more.
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
        tick_size: Decimal | None = Field(default=None, gt=0, le=10**6)
        """Smallest step of a price on both exchanges, if it is another than they state."""
        amount_step: Decimal | None = Field(default=None, gt=0, le=10**6)
        """Smallest step of an amount, likewise."""

    configuration: Configuration

    def on_start(self, event: StartEvent) -> None:
        """Cancel what an earlier run left; what it had not hedged is hedged."""
        settings = self.configuration
        for order in self.orders.open:
            self.trader.cancel_order(order)
        self._maker = self.books[settings.maker_exchange_id, settings.symbol]
        self._hedge = self.books[settings.hedge_exchange_id, settings.symbol]
        for exchange in (settings.maker_exchange_id, settings.hedge_exchange_id):
            self.markets.override(
                exchange, settings.symbol, tick_size=settings.tick_size, amount_step=settings.amount_step
            )
        self.quotes = TwoSidedQuote(self, exchange=settings.maker_exchange_id, symbol=settings.symbol)
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
        buy, sell = Decimal(str(bid[0])) * (1 - margin), Decimal(str(ask[0])) * (1 + margin)
        self.quotes.quote(Quote(buy, settings.amount), Quote(sell, settings.amount))

    def _balance(self, unhedged: Decimal) -> None:
        best = self._hedge.best_bid if unhedged > 0 else self._hedge.best_ask
        if best is None or not all(order.is_idle for order in self._hedging.values()):
            return
        order, sign = (self._hedging["sell"], -1) if unhedged > 0 else (self._hedging["buy"], 1)
        exact = Decimal(str(best[0])) * (1 + sign * self.configuration.slippage_bps / BPS)
        price = order.market.round_price(exact, up=sign > 0)
        if order.sends(price, abs(unhedged)):
            order.set(price, abs(unhedged))
