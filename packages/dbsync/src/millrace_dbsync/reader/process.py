"""The process that reads journals for this one, from the outside: `millrace_dbsync.reader`."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Final

import structlog

from millrace_core.ids import MessageId
from millrace_dbsync.plan import TenantPlan
from millrace_dbsync.reader.passing import WORD, Passage
from millrace_dbsync.reader.ready import ROOM, Arrived
from millrace_dbsync.reader.transport import GREETING, Order, packed_order, taken

_END_S: Final = 2.0

log = structlog.get_logger()


class ReaderProcess:
    """A process that waits for its order, and then reads. It keeps nothing, so nothing is lost with it."""

    def __init__(self, process: asyncio.subprocess.Process, slots: list[Passage]) -> None:
        self._process, self._slots = process, slots
        self.arrived: Arrived = asyncio.Queue()

    @classmethod
    async def start(cls) -> "ReaderProcess":
        """Start it; it can be given its order when it has greeted.

        Raises:
            OSError: the system has no process for us.
        """
        slots = [Passage.make() for _ in range(ROOM)]
        descriptors = [slot.descriptor for slot in slots]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "millrace_dbsync.reader", *map(str, descriptors)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=descriptors,
        )
        return cls(process, slots)

    @property
    def pid(self) -> int:
        """The process's."""
        return self._process.pid

    async def greeted(self) -> bool:
        """Wait until it can be given its order; False when it ended instead."""
        return self._process.stdout is not None and await self._process.stdout.read(len(GREETING)) == GREETING

    @asynccontextmanager
    async def read(
        self, redis_url: str, plan: TenantPlan, stored: Mapping[str, MessageId]
    ) -> AsyncGenerator["ReaderProcess", None]:
        """Have it read behind what is stored; on leaving it is ended.

        When it ends by itself, what had arrived is still given, and then nothing more.
        """
        wanted = {name: position for name, position in stored.items() if plan.wants(name)}
        self._tell(packed_order(Order(redis_url, plan, wanted)))
        hearing = asyncio.create_task(self._hear())
        try:
            yield self
        finally:
            hearing.cancel()
            await asyncio.wait([hearing])
            await self.end()

    async def end(self) -> None:
        """End it by the end of its input, which also ends it when this process is killed."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(_END_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        for slot in self._slots:
            slot.close()

    async def _hear(self) -> None:
        """Take the hauls that are ready as they come."""
        try:
            while self._process.stdout is not None:
                slot, size = WORD.unpack(await self._process.stdout.readexactly(WORD.size))
                release = partial(self._tell, slot.to_bytes(1, "big"))
                self.arrived.put_nowait(taken(self._slots[slot], size, release))
        except (OSError, asyncio.IncompleteReadError):
            log.warning("the process that reads the journals ended; they are read here meanwhile")
        finally:
            self.arrived.put_nowait(None)

    def _tell(self, words: bytes) -> None:
        """Write what it waits for; nothing when it is gone."""
        if self._process.stdin is not None and not self._process.stdin.is_closing():
            with suppress(OSError):
                self._process.stdin.write(words)
