"""The unit that keeps the database in shape: finished candles, book checkpoints, partitions, what is too old."""

import asyncio
from typing import Final

from millrace_dbsync.committing.database import Database
from millrace_dbsync.plan import UpkeepPlan
from millrace_service import UnitHealthReporter
from millrace_store import DatabaseUnavailable, Retention

EVERY_S: Final = 60.0
_AGAIN_S: Final = 5.0


async def keep_up(plan: UpkeepPlan, database: Database, health: UnitHealthReporter) -> None:
    """Have the store maintain itself every minute, until cancelled; a database that is gone is waited for.

    Raises:
        StoreError: the database refuses.
    """
    store = await database.opened()
    retention = Retention(plan.book_days, plan.trades_days, plan.other_days)
    while True:
        try:
            await store.maintain(retention)
        except DatabaseUnavailable as error:
            health.state("stale", f"waiting for the database: {error}")
            await asyncio.sleep(_AGAIN_S)
        else:
            health.state("live")
            health.count("rounds")
            await asyncio.sleep(EVERY_S)
