"""Trend: follows two moving averages. See docs/strategy-library.md."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

from pydantic import Field, model_validator

from millrace_strategy import (
    BookEvent,
    CandlesEvent,
    Event,
    StartEvent,
    StopEvent,
    Strategy,
    StrategyConfiguration,
)
from millrace_strategy.execution import WorkingOrder

BPS = Decimal(10_000)


def average(values: Sequence[float], count: int) -> float:
    """Return the simple moving average of the last values."""
    return sum(values[-count:]) / count


class Trend(Strategy):
    """Holds an amount while the fast average of closed candles is above the slow one, and nothing otherwise."""

    class Configuration(StrategyConfiguration):
        """Settings of the strategy."""

        exchange_id: str
        """Where it trades."""
        symbol: str
        """What it trades."""
        timeframe: str = Field(default="1m", pattern="^[1-9][0-9]{0,2}[smhdwM]$")
        """Length of a candle; the exchange's candles if they are subscribed to, else built from trades."""
        fast: int = Field(default=10, ge=1, le=400)
        """Candles of the fast average."""
        slow: int = Field(default=30, ge=2, le=400)
        """Candles of the slow average."""
        amount: Decimal = Field(gt=0, le=10**12)
        """How much it holds in a rising market, in base currency."""
        slippage_bps: Decimal = Field(default=Decimal(10), ge=0, le=10_000)
        """How much worse than the best price an order may be."""
        tick_size: Decimal | None = Field(default=None, gt=0, le=10**6)
        """Smallest step of a price, if it is another than the exchange states."""
        amount_step: Decimal | None = Field(default=None, gt=0, le=10**6)
        """Smallest step of an amount, likewise."""

        @model_validator(mode="after")
        def _is_faster(self) -> "Trend.Configuration":
            if self.fast >= self.slow:
                raise ValueError("slow: must be above fast")
            return self

    configuration: Configuration

    def on_start(self, event: StartEvent) -> None:
        """Go on with the position of the last run."""
        settings = self.configuration
        self.markets.override(
            settings.exchange_id, settings.symbol, tick_size=settings.tick_size, amount_step=settings.amount_step
        )
        self._candles = self.candles[settings.exchange_id, settings.symbol, settings.timeframe]
        self._book = self.books[settings.exchange_id, settings.symbol]
        self._seen_ms = 0
        self._wanted = Decimal(self.state.get("wanted", "0"))
        sides: tuple[Literal["buy", "sell"], ...] = ("buy", "sell")
        self._orders = {
            side: WorkingOrder(
                self, exchange=settings.exchange_id, symbol=settings.symbol, side=side, time_in_force="IOC"
            )
            for side in sides
        }  # fmt: skip

    def on_candles(self, event: CandlesEvent) -> None:
        """Decide once for each candle that has closed."""
        settings, closed = self.configuration, self._candles.closed
        if len(closed) < settings.slow or closed[-1][0] == self._seen_ms:
            return
        self._seen_ms = closed[-1][0]
        prices = [candle[4] for candle in closed]
        fast, slow = average(prices, settings.fast), average(prices, settings.slow)
        self._wanted = settings.amount if fast > slow else Decimal(0)
        self.state["wanted"] = str(self._wanted)
        self.plot("fast average", fast)
        self.plot("slow average", slow)
        self._trade()

    def on_order_book(self, event: BookEvent) -> None:
        """Try what was not filled again, at the price of the moment."""
        self._trade()

    def on_order(self, event: Event) -> None:
        """Go on when an order has ended."""
        self._trade()

    def on_stop(self, event: StopEvent) -> None:
        """Keep the position; an IOC order leaves nothing on the exchange."""

    def _trade(self) -> None:
        settings, book = self.configuration, self._book
        missing = self._wanted - self.positions[settings.exchange_id, settings.symbol].quantity
        best = book.best_ask if missing > 0 else book.best_bid
        if best is None or not book.trusted or not all(each.is_idle for each in self._orders.values()):
            return
        order, sign = (self._orders["buy"], 1) if missing > 0 else (self._orders["sell"], -1)
        price = Decimal(str(best[0])) * (1 + sign * settings.slippage_bps / BPS)
        # What is too little to be sent waits for the next change.
        if order.sends(price, abs(missing)):
            order.set(price, abs(missing))
