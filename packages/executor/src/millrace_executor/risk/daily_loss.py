"""Halts a tenant's trading by itself when it has lost too much since midnight."""

import asyncio
import time
from collections.abc import Mapping
from typing import Final

import structlog

from millrace_bus import BusError
from millrace_bus.requests.sender import Requests
from millrace_core.clock import now_ms
from millrace_core.config import RiskLimits
from millrace_core.ids import derived_request_id
from millrace_core.names import Tenant
from millrace_core.requests import Halt, HaltingPayload
from millrace_executor.intake.executor_database import ExecutorDatabase
from millrace_service import UnitHealthReporter
from millrace_store import StoreError
from millrace_store.queries.portfolio_records import ProfitRecord

ASK_EVERY_S: Final = 5.0
BLIND_AFTER_S: Final = 30.0
"""Without anything stored of the tenant's own trades for so long, losses are not seen."""
DAY_MS: Final = 86_400_000

log = structlog.get_logger()


class DailyLoss:
    """Watches one tenant's realised profit of the day (UTC), as the database counts it.

    It halts once a day for each currency, also over restarts: a person who resumes decides to go on.
    """

    def __init__(
        self, tenant: Tenant, database: ExecutorDatabase, requests: Requests, health: UnitHealthReporter
    ) -> None:
        self._tenant = tenant
        self._database = database
        self._requests = requests
        self._health = health
        self._halted: set[str] = set()
        self._stored: dict[str, tuple[int, int]] = {}
        self._stored_at_s = time.monotonic()
        """When the newest of that was seen, by the monotonic clock."""

    async def watch(self, limits: RiskLimits) -> None:
        """Compare the day's loss with the limits until cancelled."""
        unvalued: str | None = None
        while True:
            day = now_ms() // DAY_MS
            try:
                profits = await self._database.profits_since(self._tenant, day * DAY_MS)
                limited = {code: profit for code, profit in profits.items() if code in limits.max_daily_loss}
                await self._check(limits, limited, day)
                unvalued = _unvalued(limited)
                problem = self._blindness(await self._database.own_trades_stored(self._tenant))
            except (StoreError, BusError) as error:
                problem = str(error)
            self._show(problem, unvalued)
            await asyncio.sleep(ASK_EVERY_S)

    def _blindness(self, stored: dict[str, tuple[int, int]]) -> str | None:
        """Return why losses are not seen, if nothing of the tenant's own trades has been stored for long."""
        now_s = time.monotonic()
        if stored != self._stored:
            self._stored, self._stored_at_s = stored, now_s
        if now_s - self._stored_at_s < BLIND_AFTER_S:
            return None
        return (
            f"no stream of own trades has been stored for {BLIND_AFTER_S:.0f} s: a gatherer has to take watchMyTrades, "
            "and dbsync to store it"
        )

    def _show(self, problem: str | None, unvalued: str | None) -> None:
        if problem is None:
            self._health.state("live", unvalued)
            return
        text = f"maxDailyLoss cannot be checked: {problem}"
        if self._health.current_state != "stale":
            # Once: it may last for hours, and other errors are to be seen too.
            self._health.error(text)
        self._health.state("stale", text)

    async def _check(self, limits: RiskLimits, profits: Mapping[str, ProfitRecord], day: int) -> None:
        for currency, profit in profits.items():
            limit, loss = limits.max_daily_loss[currency], -profit.realised
            if loss > limit:
                await self._halt(
                    currency, day, f"maxDailyLoss.{currency} is {limit:f}, and {loss:f} were lost today (UTC)"
                )

    async def _halt(self, currency: str, day: int, reason: str) -> None:
        request_id = derived_request_id(f"{self._tenant} maxDailyLoss {currency} {day}")
        if request_id in self._halted:
            return
        log.error("trading is halted: the loss of the day is beyond its limit", tenant=self._tenant, cause=reason)
        self._health.error(f"trading is halted: {reason}")
        payload = HaltingPayload(reason=reason, by="the executor", cancel_orders=True)
        # The id makes it one request however many executors send it: it is known while the request is valid.
        await self._requests.send(self._tenant, Halt(request_id=request_id, valid_for=DAY_MS, payload=payload))
        self._halted.add(request_id)


def _unvalued(profits: Mapping[str, ProfitRecord]) -> str | None:
    """Return which fees the losses are without; None if they have all."""
    fees = [
        f"{amount:f} {code} in markets of {currency}"
        for currency, profit in sorted(profits.items())
        for code, amount in sorted(profit.unvalued_fees.items())
    ]
    return f"the losses of today are without fees whose value is not known: {', '.join(fees)}" if fees else None
