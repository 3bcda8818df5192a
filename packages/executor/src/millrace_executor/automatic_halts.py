"""Halts that the executor decides by itself: a refused API key, a source that runs away."""

from time import monotonic
from typing import Final

import structlog

from millrace_bus import BusError
from millrace_bus.requests.sender import Requests
from millrace_core.halts import HaltScope
from millrace_core.names import Tenant
from millrace_core.requests import Halt, HaltingPayload
from millrace_executor.trading_controls import TradingControls
from millrace_service import UnitHealthReporter
from millrace_service.redaction import clean_text

AGAIN_S: Final = 10.0
"""How long a request to halt may take to be in force before another one is sent."""
VALID_MS: Final = 86_400_000
"""A request to halt waits out any outage of Redis."""

log = structlog.get_logger()


class AutomaticHalts:
    """Requests halts of one tenant, as a person would: so they are kept everywhere, and last until a person resumes."""

    def __init__(
        self, tenant: Tenant, requests: Requests, controls: TradingControls, health: UnitHealthReporter
    ) -> None:
        self._tenant = tenant
        self._requests = requests
        self._controls = controls
        self._health = health
        self._requested_s: dict[HaltScope, float] = {}

    async def request(self, scope: HaltScope, reason: str) -> None:
        """Request a halt, unless it is in force or on its way."""
        now_s = monotonic()
        if scope in self._controls.halts.halts or now_s < self._requested_s.get(scope, -AGAIN_S) + AGAIN_S:
            return
        self._requested_s[scope] = now_s
        reason = clean_text(reason)  # The exchange's words may repeat the key.
        log.error("trading is halted", tenant=self._tenant, scope=str(scope), cause=reason)
        self._health.error(f"trading is halted ({scope}): {reason}")
        payload = HaltingPayload(order_source=scope.order_source, reason=reason, by="the executor")
        try:
            await self._requests.send(
                self._tenant, Halt(exchange_id=scope.exchange, valid_for=VALID_MS, payload=payload)
            )
        except BusError as error:
            self._health.error(f"cannot halt {scope}: {error}")
