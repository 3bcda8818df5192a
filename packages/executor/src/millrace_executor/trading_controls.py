"""Controls the trading of a tenant on all its accounts: limits, halts, and the rate of its orders."""

import asyncio
from collections import deque
from collections.abc import Mapping

from millrace_bus import HaltNote, HaltScope
from millrace_core.config import RiskLimits
from millrace_core.names import ExchangeId
from millrace_core.orders import Order
from millrace_executor.risk import Approved, NewTerms, RiskRejection, TradingState, check, rate_window


class TradingControls:
    """One tenant's controls. Nothing may be sent before both its limits and its halts are known."""

    def __init__(self) -> None:
        self._limits: RiskLimits | None = None
        self._halts: Mapping[HaltScope, HaltNote] | None = None
        self.halts_in_redis: dict[HaltScope, HaltNote] = {}
        """Halts as Redis last held them; kept here because they outlive the unit that reads them."""
        self.unwritten_halts: dict[HaltScope, HaltNote] = {}
        """Halts in force that Redis does not hold yet."""
        self._known = asyncio.Event()
        self._sent_ms: deque[int] = deque()

    @property
    def limits(self) -> RiskLimits:
        """Return the limits in force."""
        return self._limits or RiskLimits()

    @property
    def halts(self) -> Mapping[HaltScope, HaltNote]:
        """Return the halts in force."""
        return self._halts or {}

    def set_limits(self, limits: RiskLimits) -> None:
        """Put limits in force from the next order on."""
        self._limits = limits
        self._check_known()

    def set_halts(self, halts: Mapping[HaltScope, HaltNote]) -> None:
        """Put halts in force from the next order on; they replace those before."""
        self._halts = halts
        self._check_known()

    def put_halts_in_force(self) -> None:
        """Put the halts in Redis and the unwritten ones in force."""
        self.set_halts(self.halts_in_redis | self.unwritten_halts)

    async def known(self) -> None:
        """Wait until limits and halts are both known."""
        await self._known.wait()

    def halt_reason(self, exchange: ExchangeId, order_source: str | None) -> str | None:
        """Return the reason of the halt that covers an order of this source on this exchange, or None."""
        for scope, note in self.halts.items():
            if scope.covers(exchange, order_source):
                by = f" by {note.by}" if note.by else ""
                reason = f": {note.reason}" if note.reason else ""
                return f"{_subject(scope)} is halted{by}{reason}"
        return None

    def decide(self, order: NewTerms, edited: Order | None, now_ms: int) -> Approved | RiskRejection:
        """Decide by the limits in force; an approved order counts as sent from then on."""
        decision = check(order, self.limits, TradingState(now_ms, tuple(self._sent_ms), edited))
        if isinstance(decision, Approved):
            self._remember(now_ms)
        return decision

    def _remember(self, now_ms: int) -> None:
        if self.limits.max_orders_per_second is None:
            self._sent_ms.clear()
            return
        self._sent_ms.append(now_ms)
        _, window_ms = rate_window(self.limits.max_orders_per_second)
        while self._sent_ms[0] <= now_ms - window_ms:
            self._sent_ms.popleft()

    def _check_known(self) -> None:
        if self._limits is not None and self._halts is not None:
            self._known.set()


def _subject(scope: HaltScope) -> str:
    if scope == HaltScope():
        return "all trading of this tenant"
    where = f"trading on {scope.exchange}" if scope.exchange else "trading"
    return f"{where} for {scope.order_source}" if scope.order_source else where
