"""The strategy of the tick-to-trade benchmark: each tick of its symbol becomes one order at once."""

from decimal import Decimal

from pydantic import BaseModel

from millrace_strategy import BookEvent, Strategy


class Settings(BaseModel):
    """Where it trades."""

    symbol: str
    price: Decimal
    """Far below the market: nothing must fill."""


class Reflex(Strategy):
    """Answers each change of the best bid with an order of the same amount, by which the two are matched."""

    Configuration = Settings

    def on_order_book(self, event: BookEvent) -> None:
        """Send the order."""
        best = event.book.best_bid
        if best is None:
            return
        self.trader.create_order(
            exchange="binance",
            symbol=self.configuration.symbol,
            side="buy",
            type="limit",
            amount=Decimal(str(best[1])),
            price=self.configuration.price,
            time_in_force="IOC",
        )
