"""Controls the trading of a tenant on all its accounts: limits, halts, and the rate of its orders."""

import asyncio
from collections import deque

from millrace_core.config import RiskLimits
from millrace_core.halts import HaltScope, HaltState
from millrace_core.names import ExchangeId
from millrace_core.orders import Order
from millrace_executor.risk import Approved, NewTerms, RiskRejection, TradingState, check, rate_window


class TradingControls:
    """One tenant's controls. Nothing may be sent before its limits are known and its halts are known or in doubt."""

    def __init__(self) -> None:
        self._limits: RiskLimits | None = None
        self._halts = HaltState()
        self._doubt: str | None = None
        self._are_halts_judged = False
        """Whether it is decided that the halts are known, or that they are in doubt."""
        self._known = asyncio.Event()
        self._sent_ms: deque[int] = deque()

    @property
    def limits(self) -> RiskLimits:
        """Return the limits in force."""
        return self._limits or RiskLimits()

    @property
    def halts(self) -> HaltState:
        """Return what is known of halts; kept here because it outlives the unit that reads them."""
        return self._halts

    @property
    def doubt(self) -> str | None:
        """Return why nothing new may be sent whatever is halted: more may be halted than is known. Else None."""
        return self._doubt

    def set_limits(self, limits: RiskLimits) -> None:
        """Put limits in force from the next order on."""
        self._limits = limits
        self._check_known()

    def learn_halts(self, state: HaltState) -> None:
        """Put halts, and the ends of halts, in force from the next order on; what was known before is kept."""
        self._halts = self._halts.join(state)

    def doubt_halts(self, reason: str) -> None:
        """Refuse new orders, with this reason, until `trust_halts`."""
        self._doubt = reason
        self._judged()

    def trust_halts(self) -> None:
        """Let orders pass unless a known halt covers them."""
        self._doubt = None
        self._judged()

    async def known(self) -> None:
        """Wait until limits are known, and halts are known or in doubt."""
        await self._known.wait()

    def halt_reason(self, exchange: ExchangeId, order_source: str | None) -> str | None:
        """Return why an order of this source on this exchange may not be sent, or None."""
        if self._doubt is not None:
            return self._doubt
        for scope, note in self._halts.halts.items():
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

    def _judged(self) -> None:
        self._are_halts_judged = True
        self._check_known()

    def _check_known(self) -> None:
        if self._limits is not None and self._are_halts_judged:
            self._known.set()


def _subject(scope: HaltScope) -> str:
    if scope == HaltScope():
        return "all trading of this tenant"
    where = f"trading on {scope.exchange}" if scope.exchange else "trading"
    return f"{where} for {scope.order_source}" if scope.order_source else where
