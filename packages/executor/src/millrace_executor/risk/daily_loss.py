"""Halts a tenant's trading by itself when it has lost too much since midnight."""

import asyncio
from decimal import Decimal
from typing import Final

import structlog

from millrace_core.clock import now_ms
from millrace_core.config import RiskLimits
from millrace_core.halts import HaltNote, HaltScope
from millrace_core.names import Tenant
from millrace_executor.intake.halt_database import HaltDatabase
from millrace_executor.trading_controls import TradingControls
from millrace_service import UnitHealthReporter
from millrace_store import StoreError

ASK_EVERY_S: Final = 5.0
DAY_MS: Final = 86_400_000

log = structlog.get_logger()


class DailyLoss:
    """Watches one tenant's realised profit of the day (UTC), as the database counts it.

    It halts once a day for each currency: a person who resumes decides to go on. After a restart it halts again while
    the loss is beyond the limit.
    """

    def __init__(
        self, tenant: Tenant, database: HaltDatabase, controls: TradingControls, health: UnitHealthReporter
    ) -> None:
        self._tenant = tenant
        self._database = database
        self._controls = controls
        self._health = health
        self._halted: set[tuple[int, str]] = set()

    async def watch(self, limits: RiskLimits) -> None:
        """Compare the day's loss with the limits until cancelled."""
        while True:
            try:
                realised = await self._database.realised_since(self._tenant, now_ms() // DAY_MS * DAY_MS)
            except StoreError as error:
                self._health.error(f"maxDailyLoss cannot be checked: {error}")
                self._health.state("stale", f"maxDailyLoss cannot be checked: {error}")
            else:
                self._health.state("live")
                self._check(limits, realised)
            await asyncio.sleep(ASK_EVERY_S)

    def _check(self, limits: RiskLimits, realised: dict[str, Decimal]) -> None:
        today = now_ms() // DAY_MS
        for currency, limit in limits.max_daily_loss.items():
            loss = -realised.get(currency, Decimal(0))
            if loss > limit and (today, currency) not in self._halted:
                self._halted.add((today, currency))
                self._halt(f"maxDailyLoss.{currency} is {limit:f}, and {loss:f} were lost today (UTC)")

    def _halt(self, reason: str) -> None:
        log.error("trading is halted: the loss of the day is beyond its limit", tenant=self._tenant, cause=reason)
        self._health.error(f"trading is halted: {reason}")
        note = HaltNote(since=now_ms(), reason=reason, by="the executor")
        self._controls.learn_halts(self._controls.halts.halted(HaltScope(), note))
