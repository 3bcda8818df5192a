"""The unit that maintains the database: finished candles, book checkpoints, fees' values, equity, retention."""

import asyncio
from typing import Final, NoReturn

from millrace_dbsync.committing.shared_database import SharedDatabase
from millrace_dbsync.plan import MaintenancePlan
from millrace_service import UnitHealthReporter
from millrace_store import Retention

EVERY_S: Final = 60.0


async def maintain(plan: MaintenancePlan, database: SharedDatabase, health: UnitHealthReporter) -> NoReturn:
    """Maintain the store every minute until cancelled; wait for a database that is gone.

    Raises:
        StoreError: the database refuses.
    """
    retention = Retention(plan.book_days, plan.trades_days, plan.other_days)
    while True:
        await database.ask(lambda store: store.maintain(retention, dict(plan.currencies)), health, is_long=True)
        health.state("live")
        health.count("rounds")
        await asyncio.sleep(EVERY_S)
