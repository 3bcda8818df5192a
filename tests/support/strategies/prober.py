"""A strategy whose every decision depends on all that came before it, and on the order in which it came."""

from decimal import Decimal
from typing import Any, Literal
from zlib import crc32

from millrace_strategy import Context, PendingRequest, ResponseEvent, Strategy, StrategyConfiguration, TradesEvent

_TICK = Decimal("0.001")


class Prober(Strategy):
    """Asks for one thing at a time, at the first trade after an answer; begins with a trade of a certain amount.

    What it asks for is drawn from a checksum of every trade and every answer so far, so that one that is missing, or
    comes a place too early, changes all decisions after it.
    """

    class Configuration(StrategyConfiguration):
        """Settings of the strategy."""

        signal: float
        """The amount of the trade at which it begins."""
        decisions: int = 40
        """After so many it does nothing more."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.made = 0
        self._seen = 0
        self._is_on = False
        self._pending: PendingRequest | None = None
        self._resting: list[str] = []

    def on_trades(self, event: TradesEvent) -> None:
        """Take each trade into account; decide when no answer is awaited."""
        for trade in event.trades:
            self._is_on = self._is_on or trade.amount == self.configuration.signal
            if not self._is_on:
                continue
            self._see(trade.id, trade.side, trade.price, trade.amount)
            if self._pending is None and self.made < self.configuration.decisions:
                self.made += 1
                self._decide(event, Decimal(repr(trade.price)))

    def on_response(self, event: ResponseEvent) -> None:
        """Take the answer into account: what was asked for, whether it was done, and what became of the order."""
        response, pending = event.response, self._pending
        if pending is None or response.request_id != pending.request_id or not pending.is_final:
            return
        self._pending = None
        order = response.order
        self._see(event.action, response.status, order and (order.side, order.status, order.filled))
        if order is not None and event.action != "cancelOrder" and order.status == "open":
            self._resting.append(order.id)

    def _see(self, *facts: Any) -> None:
        self._seen = crc32(repr(facts).encode(), self._seen)

    def _decide(self, event: TradesEvent, price: Decimal) -> None:
        choice, drawn = self._seen % 7, self._seen // 7
        if choice >= 5 and self._resting:
            named = (event.exchange, event.symbol, self._resting.pop(0))
            far = self._at(price, Decimal("0.96"))
            self._pending = self.trader.cancel_order(named) if choice == 5 else self.trader.edit_order(named, price=far)
            return
        side: Literal["buy", "sell"] = "sell" if choice == 1 else "buy"
        times = {0: "1.01", 1: "0.99", 3: "1.01", 4: "0.99"}.get(choice, "0.97")
        self._pending = self.trader.create_order(
            exchange=event.exchange,
            symbol=event.symbol,
            side=side,
            type="limit",
            amount=Decimal(5 + drawn % 6) / 10,
            price=self._at(price, Decimal(times)),
            time_in_force={0: "IOC", 1: "IOC", 4: "FOK"}.get(choice),
            post_only=choice not in (0, 1, 4),
        )

    @staticmethod
    def _at(price: Decimal, times: Decimal) -> Decimal:
        return (price * times).quantize(_TICK)
