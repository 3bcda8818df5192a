"""The strategy of the own-view test: trades all the time, and writes down what it believes of its orders."""

import json
from pathlib import Path

from pydantic import BaseModel

from millrace_strategy import StartEvent, Strategy

ROUND_MS = 1_000
VIEW_MS = 100


class QuoterConfiguration(BaseModel):
    """What it trades, and where it writes."""

    symbol: str
    amount: int
    view: Path


class Quoter(Strategy):
    """Each second it cancels what is open and quotes both sides anew; each third time it also buys at the market."""

    Configuration = QuoterConfiguration
    configuration: QuoterConfiguration
    rounds = 0

    def on_start(self, event: StartEvent) -> None:
        """Begin."""
        self.every(ROUND_MS, self.quote)
        self.every(VIEW_MS, self.write)

    def quote(self) -> None:
        """Cancel, quote, and sometimes take."""
        settings = self.configuration
        for order in self.orders.open:
            self.trader.cancel_order(order)
        book = self.books["binance", settings.symbol]
        if book.best_bid is None or book.best_ask is None:
            return
        where = {"exchange": "binance", "symbol": settings.symbol, "amount": settings.amount}
        self.trader.create_order(**where, side="buy", type="limit", price=book.best_bid[0])
        self.trader.create_order(**where, side="sell", type="limit", price=book.best_ask[0])
        self.rounds += 1
        if self.rounds % 3 == 0:
            self.trader.create_order(**where, side="buy" if self.rounds % 2 else "sell", type="market")

    def write(self) -> None:
        """Write down all orders, as one file that is whole at any time."""
        orders = {f"{order.symbol} {order.id}": [order.status, str(order.filled)] for order in self.orders}
        new = self.configuration.view.with_suffix(".new")
        new.write_text(json.dumps({"at": self.clock.now_ms(), "orders": orders}))
        new.replace(self.configuration.view)
