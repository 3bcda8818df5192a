"""Cancels the strategy's own open orders, and no one else's."""

from typing import Final

from millrace_strategy.events import Event, OrderEvent
from millrace_strategy.execution.part import StrategyPart
from millrace_strategy.strategy import Strategy

AGAIN_MS: Final = 2_000


class CancelOwn(StrategyPart):
    """Cancels every open order of the strategy, of one exchange or one market if named, until none is left.

    Orders whose requests are still on their way are cancelled as soon as they are known, so place no others meanwhile.
    """

    def __init__(self, strategy: Strategy, *, exchange: str | None = None, symbol: str | None = None) -> None:
        self._exchange, self._symbol = exchange, symbol
        self.is_done = False
        """Whether none is open or on its way any more."""
        super().__init__(strategy, OrderEvent)
        self._cancel_all()

    def handle(self, event: Event) -> None:
        """Cancel what turns up."""
        if isinstance(event, OrderEvent) and not self.is_done:
            if event.previous is None and not event.order.is_final and self._is_meant(event.order):
                self.strategy.trader.cancel_order(event.order)
            self._look()

    def _cancel_all(self) -> None:
        if self.is_done:
            return
        for order in self.strategy.orders.open:
            if self._is_meant(order):
                self.strategy.trader.cancel_order(order)
        if not self._look():
            self.strategy.after(AGAIN_MS, self._cancel_all, name="cancel own")

    def _look(self) -> bool:
        requests = [each for each in self.strategy.trader.pending if each.action == "createOrder"]
        self.is_done = not any(map(self._is_meant, [*self.strategy.orders.open, *requests]))
        if self.is_done:
            self.detach()
        return self.is_done

    def _is_meant(self, each: object) -> bool:
        exchange, symbol = getattr(each, "exchange", None), getattr(each, "symbol", None)
        return self._exchange in (None, exchange) and self._symbol in (None, symbol)
