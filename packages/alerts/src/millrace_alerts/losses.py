"""The unit that asks the database what each tenant has lost today."""

import asyncio
from collections.abc import Iterable
from decimal import Decimal
from typing import Final, NamedTuple, NoReturn

from millrace_bus import Bus
from millrace_core.clock import DAY_MS, now_ms
from millrace_core.names import Tenant
from millrace_service import UnitHealthReporter
from millrace_store import DatabaseUnavailable, Scope, Store

EVERY_S: Final = 5.0


class LossPlan(NamedTuple):
    """The tenants whose losses are asked for; None for all that have journals."""

    tenants: frozenset[Tenant] | None


async def follow_losses(
    plan: LossPlan, url: str, bus: Bus, losses: dict[tuple[Tenant, str], Decimal], health: UnitHealthReporter
) -> NoReturn:
    """Keep the losses of the day (UTC) up to date in `losses`, until cancelled; a profit is below zero."""
    while True:
        try:
            async with Store.open(url) as store:
                while True:
                    tenants = await bus.tenants() if plan.tenants is None else plan.tenants
                    found = await _today(store, tenants)
                    losses.clear()
                    losses.update(found)
                    health.state("live")
                    await asyncio.sleep(EVERY_S)
        except DatabaseUnavailable as error:
            health.state("stale", f"losses are not known: {error}")
            await asyncio.sleep(EVERY_S)


async def _today(store: Store, tenants: Iterable[Tenant]) -> dict[tuple[Tenant, str], Decimal]:
    now = now_ms()
    found: dict[tuple[Tenant, str], Decimal] = {}
    for tenant in tenants:
        for profit in await store.portfolio.profits(Scope(tenant, since_ms=now - now % DAY_MS)):
            found[tenant, profit.currency] = -profit.realised
    return found
