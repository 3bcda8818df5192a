"""The strategies of the isolation benchmark: one that trades, and four that are bad in the usual ways."""

import time
from typing import ClassVar

from millrace_strategy import Strategy, TradesEvent


class Buyer(Strategy):
    """Asks for an order at each trade."""

    def on_trades(self, event: TradesEvent) -> None:
        """Ask for it."""
        for trade in event.trades:
            self.trader.create_order(
                exchange="binance", symbol=event.symbol, side="buy", type="limit", amount=1, price=trade.price
            )


class Raising(Strategy):
    """Raises at each trade."""

    def on_trades(self, event: TradesEvent) -> None:
        """Raise."""
        raise ValueError("a defect")


class Looping(Strategy):
    """Never returns from its hook."""

    def on_trades(self, event: TradesEvent) -> None:
        """Loop."""
        while True:
            pass


class Leaking(Strategy):
    """Keeps 4 MB more with each trade."""

    kept: ClassVar[list[bytes]] = []

    def on_trades(self, event: TradesEvent) -> None:
        """Keep them."""
        self.kept.append(b"x" * (4 << 20))


class Napping(Strategy):
    """Blocks its event loop for 200 ms at each trade."""

    def on_trades(self, event: TradesEvent) -> None:
        """Block."""
        time.sleep(0.2)
