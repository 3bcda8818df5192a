"""The platform is broken at random moments, by a seed; how long and how often is for the environment to say.

MILLRACE_TEST_SECONDS   how long it runs (9)
MILLRACE_TEST_KILLS     how often dbsync, the database and Valkey are killed (3/2/2)
MILLRACE_TEST_MOMENTS   how many books of the past are asked for (40)
MILLRACE_TEST_SEED      the seed, as logged by a failed run; by default a new one each time
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from random import Random
from typing import NamedTuple

from tests.support.platform import Platform

LONGEST_OUTAGE_S = 3.0

log = logging.getLogger(__name__)


class Kills(NamedTuple):
    """How often each is killed."""

    dbsync: int
    database: int
    valkey: int


SECONDS = float(os.environ.get("MILLRACE_TEST_SECONDS", "9"))
KILLS = Kills(*map(int, os.environ.get("MILLRACE_TEST_KILLS", "3/2/2").split("/")))
MOMENTS = int(os.environ.get("MILLRACE_TEST_MOMENTS", "40"))


def seeded() -> Random:
    """Return the source of all that a test does at random; the log has the seed with which it does the same again."""
    seed = int(os.environ.get("MILLRACE_TEST_SEED", int.from_bytes(os.urandom(4), "big")))
    log.info("MILLRACE_TEST_SEED=%d", seed)
    return Random(seed)


class Ordeal:
    """Kills with -9, each part at moments of its own: so that any of them may be away together."""

    def __init__(self, platform: Platform, random: Random) -> None:
        self._platform, self._random = platform, random
        self.done: list[str] = []
        """What was killed, in order."""

    async def endure(self, seconds: float, kills: Kills) -> None:
        """Run the platform for this long, with this many kills."""
        faults = {"dbsync": self._dbsync, "database": self._database, "valkey": self._valkey}
        async with asyncio.TaskGroup() as group:
            for part, fault in faults.items():
                moments = sorted(self._random.uniform(0, seconds) for _ in range(getattr(kills, part)))
                outages = [self._random.uniform(0, LONGEST_OUTAGE_S) for _ in moments]
                group.create_task(self._suffer(part, fault, list(zip(moments, outages, strict=True))))
            group.create_task(asyncio.sleep(seconds))

    async def _suffer(
        self, part: str, fault: Callable[[float], Awaitable[None]], planned: list[tuple[float, float]]
    ) -> None:
        started = asyncio.get_running_loop().time()
        for moment, outage_s in planned:
            await asyncio.sleep(started + moment - asyncio.get_running_loop().time())
            self.done.append(part)
            await fault(outage_s)

    async def _dbsync(self, outage_s: float) -> None:
        await self._platform.kill("dbsync")
        await asyncio.sleep(outage_s)
        await self._platform.start_service("dbsync")

    async def _database(self, outage_s: float) -> None:
        database = self._platform.database
        assert database is not None
        await database.kill()
        await asyncio.sleep(outage_s)
        await database.restart()

    async def _valkey(self, outage_s: float) -> None:
        await self._platform.server.kill()
        await asyncio.sleep(outage_s)
        await self._platform.server.restart()
