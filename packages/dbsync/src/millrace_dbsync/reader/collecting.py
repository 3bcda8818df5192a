"""What is committed together: under load much, for each commit costs something by itself; on a quiet day at once."""

import asyncio
from contextlib import suppress

from millrace_dbsync.plan import TenantPlan
from millrace_dbsync.reader.ready import ROOM, Arrived, Ready


async def together(arrived: Arrived, plan: TenantPlan) -> list[Ready]:
    """Wait for a haul, and add those that are ready too, up to a batch; nothing when there are no more.

    While more waits in the journals, others are waited for: until it is a batch, or the interval is over, or there is
    room for no more.
    """
    hauls: list[Ready] = []
    count = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(None) as patience:
            while (haul := await arrived.get()) is not None:
                if not hauls:
                    patience.reschedule(asyncio.get_running_loop().time() + plan.batch_interval_s)
                hauls.append(haul)
                count += haul.told.count
                is_all = arrived.empty() and not haul.told.has_more
                if is_all or count >= plan.batch_messages or len(hauls) == ROOM:
                    return hauls
            if hauls:
                arrived.put_nowait(None)
    return hauls
