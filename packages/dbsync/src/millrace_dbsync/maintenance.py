"""The unit that maintains the database: finished candles, book checkpoints, partitions, retention."""

import asyncio
from typing import Final

from millrace_core.backoff import Backoff, BackoffPolicy
from millrace_dbsync.committing.shared_database import SharedDatabase
from millrace_dbsync.plan import MaintenancePlan
from millrace_service import UnitHealthReporter
from millrace_store import DatabaseUnavailable, Retention

EVERY_S: Final = 60.0
_RETRIES: Final = BackoffPolicy(first_s=1.0, limit_s=EVERY_S)


async def maintain(plan: MaintenancePlan, database: SharedDatabase, health: UnitHealthReporter) -> None:
    """Maintain the store every minute until cancelled; while the database is gone, retry with growing pauses.

    Raises:
        StoreError: the database refuses.
    """
    store = await database.opened()
    retention = Retention(plan.book_days, plan.trades_days, plan.other_days)
    backoff = Backoff(_RETRIES)
    while True:
        try:
            await store.maintain(retention)
        except DatabaseUnavailable as error:
            health.state("stale", f"waiting for the database: {error}")
            await asyncio.sleep(backoff.failed())
        else:
            backoff.recovered()
            health.state("live")
            health.count("rounds")
            await asyncio.sleep(EVERY_S)
