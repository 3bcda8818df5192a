"""TwapExecution: one large order in equal parts over time. See docs/strategy-library.md."""

from decimal import Decimal
from typing import Literal

from pydantic import Field

from millrace_strategy import FillEvent, StartEvent, StopEvent, Strategy, StrategyConfiguration
from millrace_strategy.execution import Twap


class TwapExecution(Strategy):
    """Buys or sells an amount in equal parts over a time, once; a restart goes on with what is left."""

    class Configuration(StrategyConfiguration):
        """Settings of the strategy."""

        exchange_id: str
        """Where it trades."""
        symbol: str
        """What it trades."""
        side: Literal["buy", "sell"]
        """Whether it buys or sells."""
        amount: Decimal = Field(gt=0, le=10**12)
        """How much in all, in base currency."""
        seconds: int = Field(ge=1, le=7 * 86_400)
        """How long it takes."""
        parts: int = Field(ge=1, le=10_000)
        """Into how many parts it is divided."""
        limit: Decimal | None = Field(default=None, gt=0, le=10**12)
        """Price that no order is beyond."""
        slippage_bps: Decimal = Field(default=Decimal(10), ge=0, le=10_000)
        """How much worse than the best price an order may be."""
        tick_size: Decimal | None = Field(default=None, gt=0, le=10**6)
        """Smallest step of a price, if it is another than the exchange states."""
        amount_step: Decimal | None = Field(default=None, gt=0, le=10**6)
        """Smallest step of an amount, likewise."""

    configuration: Configuration

    def on_start(self, event: StartEvent) -> None:
        """Begin, or go on with what an earlier run of the same settings has left."""
        settings, about = self.configuration, self.configuration.model_dump_json()
        if self.state.get("order") != about:
            self.state.update(
                order=about, before=str(self._traded), ends_ms=self.clock.now_ms() + settings.seconds * 1_000
            )
        done = self._traded - Decimal(self.state["before"])
        left_ms = max(self.state["ends_ms"] - self.clock.now_ms(), 1)
        self._twap: Twap | None = None
        self.markets.override(
            settings.exchange_id, settings.symbol, tick_size=settings.tick_size, amount_step=settings.amount_step
        )
        if done >= settings.amount:
            self.log.info("already done", amount=str(done))
            return
        self._twap = Twap(
            self,
            exchange=settings.exchange_id,
            symbol=settings.symbol,
            side=settings.side,
            amount=settings.amount - done,
            duration_ms=left_ms,
            parts=max(1, round(settings.parts * left_ms / (settings.seconds * 1_000))),
            slippage_bps=settings.slippage_bps,
            limit=settings.limit,
        )

    def on_fill(self, event: FillEvent) -> None:
        """Show how far it is, and at what average price."""
        if self._twap is not None:
            self.plot("left", self._twap.remaining)
            if self._twap.remaining <= 0:
                self.log.info("done", average_price=str(event.position.average_price))

    def on_stop(self, event: StopEvent) -> None:
        """Trade no more; the next run goes on."""
        if self._twap is not None:
            self._twap.cancel()

    @property
    def _traded(self) -> Decimal:
        """How much it has ever traded on this side of the market."""
        position = self.positions[self.configuration.exchange_id, self.configuration.symbol].position
        return position.bought if self.configuration.side == "buy" else position.sold
