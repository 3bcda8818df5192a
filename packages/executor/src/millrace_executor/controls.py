"""What holds for all accounts of a tenant: its limits, its halts, and what it sent lately."""

import asyncio
from collections import deque
from collections.abc import Mapping

from millrace_bus import HaltNote, HaltScope
from millrace_core.config import RiskLimits
from millrace_core.names import ExchangeId
from millrace_core.orders import Order
from millrace_executor.risk import Approved, NewTerms, Refused, TradingState, check, rate_window


class Controls:
    """One tenant's controls; nothing may be sent before both its limits and its halts are known."""

    def __init__(self) -> None:
        self._limits: RiskLimits | None = None
        self._halts: Mapping[HaltScope, HaltNote] | None = None
        self._known = asyncio.Event()
        self._sent_ms: deque[int] = deque()

    @property
    def limits(self) -> RiskLimits:
        """Return the limits in force."""
        return self._limits or RiskLimits()

    def set_limits(self, limits: RiskLimits) -> None:
        """Put other limits in force, from the next order on."""
        self._limits = limits
        self._tell()

    def set_halts(self, halts: Mapping[HaltScope, HaltNote]) -> None:
        """Say what is halted now, from the next order on."""
        self._halts = halts
        self._tell()

    async def known(self) -> None:
        """Wait until both are known."""
        await self._known.wait()

    def halt_reason(self, exchange: ExchangeId, order_source: str | None) -> str | None:
        """Say why an order of this source may not go to this exchange; None if nothing halts it."""
        for scope, note in (self._halts or {}).items():
            if scope.covers(exchange, order_source):
                return f"{_what(scope)} halted" + _told(" by ", note.by) + _told(": ", note.reason)
        return None

    def decide(self, order: NewTerms, edited: Order | None, now_ms: int) -> Approved | Refused:
        """Decide by the limits in force, and remember what was approved as sent."""
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

    def _tell(self) -> None:
        if self._limits is not None and self._halts is not None:
            self._known.set()


def _what(scope: HaltScope) -> str:
    if scope == HaltScope():
        return "all trading of this tenant is"
    where = f"trading on {scope.exchange}" if scope.exchange else "trading"
    return where + (f" for {scope.order_source} is" if scope.order_source else " is")


def _told(before: str, text: str | None) -> str:
    return before + text if text else ""
