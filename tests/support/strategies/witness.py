"""The strategy of the workflow test: places one order, and writes down what it is shown of it."""

import json
from decimal import Decimal
from pathlib import Path

from pydantic import BaseModel

from millrace_strategy import BookEvent, Event, Strategy

SYMBOL = "KCS/USDT"


class WitnessConfiguration(BaseModel):
    """Where it writes."""

    diary: Path


class Witness(Strategy):
    """Buys a little at the best bid, once; each event adds a line to its diary."""

    Configuration = WitnessConfiguration
    configuration: WitnessConfiguration
    asked: str | None = None

    def handle(self, event: Event) -> None:
        """Write down what is known now, whatever has happened."""
        line = {
            "event": type(event).__name__,
            "request": self.asked,
            "open": [order.id for order in self.orders.open],
            "orders": {order.id: [order.status, str(order.filled)] for order in self.orders},
        }
        with self.configuration.diary.open("a") as diary:
            diary.write(json.dumps(line) + "\n")

    def on_order_book(self, event: BookEvent) -> None:
        """Place the order at the first change of its book; the snapshot before it was caused by no tick."""
        best = event.book.best_bid
        is_tick = event.symbol == SYMBOL and event.trace.received is not None
        if self.asked is None and is_tick and best is not None:
            pending = self.trader.create_order(
                exchange=event.exchange,
                symbol=event.symbol,
                side="buy",
                type="limit",
                amount=Decimal(2),
                price=best[0],
                post_only=True,
            )
            self.asked = pending.request_id
