"""Arbitrage: one market on two exchanges. See docs/strategy-library.md."""

from decimal import Decimal
from typing import Literal

from pydantic import Field

from millrace_strategy import (
    BookEvent,
    Event,
    StartEvent,
    StopEvent,
    Strategy,
    StrategyConfiguration,
)
from millrace_strategy.execution import WorkingOrder

BPS = Decimal(10_000)


class Arbitrage(Strategy):
    """Buys on one exchange and sells on another when the prices differ by more than fees and a profit.

    Both orders take liquidity (IOC) at once. What only one of them filled is balanced before the next trade, or, if it
    is too little to be sent, as soon as it is enough.
    """

    class Configuration(StrategyConfiguration):
        """Settings of the strategy."""

        first_exchange_id: str
        """One exchange."""
        second_exchange_id: str
        """The other."""
        symbol: str
        """What it trades on both."""
        amount: Decimal = Field(gt=0, le=10**12)
        """Largest amount of one trade, in base currency."""
        amount_step: Decimal | None = Field(default=None, gt=0, le=10**6)
        """Smallest step of an amount, if it is another than the exchanges state."""
        fee_bps: Decimal = Field(ge=0, le=1_000)
        """Fee of each order, in hundredths of a percent."""
        min_profit_bps: Decimal = Field(default=Decimal(5), ge=0, le=10_000)
        """Profit after fees below which it does not trade."""

    configuration: Configuration

    def on_start(self, event: StartEvent) -> None:
        """Take the two books."""
        settings = self.configuration
        exchanges = settings.first_exchange_id, settings.second_exchange_id
        for exchange in exchanges:
            self.markets.override(exchange, settings.symbol, amount_step=settings.amount_step)
        self._books = [self.books[exchange, settings.symbol] for exchange in exchanges]
        sides: tuple[Literal["buy", "sell"], ...] = ("buy", "sell")
        self._orders = {
            (exchange, side): WorkingOrder(
                self, exchange=exchange, symbol=settings.symbol, side=side, time_in_force="IOC"
            )
            for exchange in exchanges
            for side in sides
        }  # fmt: skip

    def on_order_book(self, event: BookEvent) -> None:
        """Trade if the prices differ by enough."""
        self._trade()

    def on_order(self, event: Event) -> None:
        """Go on when both orders have ended."""
        self._trade()

    def on_stop(self, event: StopEvent) -> None:
        """Say what was not balanced; an IOC order leaves nothing on the exchange."""
        if self._surplus:
            self.log.warning("stopped with an open position", quantity=str(self._surplus))

    @property
    def _surplus(self) -> Decimal:
        """How much more it bought than sold."""
        return sum((self.positions[book.exchange, book.symbol].quantity for book in self._books), Decimal(0))

    def _trade(self) -> None:
        if not all(order.is_idle for order in self._orders.values()) or not all(book.trusted for book in self._books):
            return
        if self._balance(self._surplus):
            return
        for buying, selling in (self._books, self._books[::-1]):
            ask, bid = buying.best_ask, selling.best_bid
            if ask is None or bid is None or not self._is_profitable(ask[0], bid[0]):
                continue
            amount = min(Decimal(str(ask[1])), Decimal(str(bid[1])), self.configuration.amount)
            buy, sell = self._orders[buying.exchange, "buy"], self._orders[selling.exchange, "sell"]
            for order in (buy, sell):
                amount = order.market.round_amount(amount)
            if buy.sends(ask[0], amount) and sell.sends(bid[0], amount):
                buy.set(ask[0], amount)
                sell.set(bid[0], amount)
                self.log.info("arbitrage", buy=buying.exchange, at=ask[0], sell=selling.exchange, for_=bid[0])
                return

    def _is_profitable(self, ask: float, bid: float) -> bool:
        fee, profit = self.configuration.fee_bps / BPS, self.configuration.min_profit_bps / BPS
        return Decimal(str(bid)) * (1 - fee) >= Decimal(str(ask)) * (1 + fee) * (1 + profit)

    def _balance(self, surplus: Decimal) -> bool:
        """Sell what is too much where the bid is best, or buy what is missing where the ask is.

        Tell whether there was enough to be sent, so that nothing else is traded before.
        """
        side: Literal["buy", "sell"] = "sell" if surplus > 0 else "buy"
        levels = [(book, book.best_bid if surplus > 0 else book.best_ask) for book in self._books]
        priced = [(level[0], self._orders[book.exchange, side]) for book, level in levels if level is not None]
        taken = [(price, order) for price, order in priced if order.sends(price, abs(surplus))]
        if taken:
            price, order = (max if surplus > 0 else min)(taken, key=lambda each: each[0])
            order.set(price, abs(surplus))
        return bool(taken)
