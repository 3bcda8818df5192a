"""Reading hauls and putting them in batches, one after the other; the next one is read meanwhile."""

import asyncio
from collections.abc import AsyncGenerator

from millrace_dbsync.handling.handler import Shelved
from millrace_dbsync.handling.shelves import Shelves
from millrace_dbsync.reader.ready import Ready
from millrace_dbsync.reading.intake import Haul, Intake
from millrace_store import Batch


class Preparing:
    """Gives what journals hold and what comes, haul by haul."""

    def __init__(self, intake: Intake, interval_s: float) -> None:
        self._intake, self._interval_s = intake, interval_s
        self._shelves = Shelves()
        self._is_ending = False

    def end(self) -> None:
        """Read no more; what was read already is still given."""
        self._is_ending = True

    async def hauls(self) -> AsyncGenerator[Ready, None]:
        """Return them in order, until told to end; to be closed when left earlier.

        One is empty only where the one before it said that there is more, and there was not.
        """
        reading = asyncio.create_task(self._read(0.0))
        try:
            while not self._is_ending:
                haul = await reading
                # The journal collects meanwhile; where more waits than was read, there is no time to lose.
                reading = asyncio.create_task(self._read_on() if haul.has_more else self._read(self._interval_s))
                yield await prepare(self._shelves, haul)
            if (haul := await reading).count:
                yield await prepare(self._shelves, haul)
        finally:
            reading.cancel()

    async def _read_on(self) -> Haul:
        """Read what there should be at once; an empty haul where there is nothing, or when told to end."""
        return Haul() if self._is_ending else await self._intake.next()

    async def _read(self, pause_s: float) -> Haul:
        """Wait for a haul with something in it; an empty one when told to end."""
        await asyncio.sleep(pause_s)
        while not (haul := await self._read_on()).count and not self._is_ending:
            pass
        return haul


async def prepare(shelves: Shelves, haul: Haul) -> Ready:
    """Put a haul in a batch, leaving others of this process their turn: so the next haul is asked for at once."""
    batch, shelved = Batch(), Shelved()
    await asyncio.sleep(0)
    for _ in shelves.put(batch, haul.pages, shelved):
        await asyncio.sleep(0)
    return Ready.of(haul, batch, shelved)
