"""The reading process as dbsync sees it; `millrace_dbsync.reader` is what runs in it."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Final

import structlog

from millrace_core.ids import MessageId
from millrace_dbsync.plan import TenantPlan
from millrace_dbsync.reader.prepared import ROOM, PreparedQueue
from millrace_dbsync.reader.transport import GREETING, NOTICE, ReadingJob, SharedMemory, pack_job, take_batch

_GREETING_TIMEOUT_S: Final = 60.0
"""Python starts in about a second; a machine at its limits may need far longer."""
_END_TIMEOUT_S: Final = 2.0

log = structlog.get_logger()


class ReaderProcess:
    """A process that waits for its job and then reads. It keeps nothing, so nothing is lost with it."""

    def __init__(self, process: asyncio.subprocess.Process, slots: list[SharedMemory]) -> None:
        self._process, self._slots = process, slots
        self.arrived: PreparedQueue = asyncio.Queue()

    @classmethod
    async def start(cls) -> "ReaderProcess":
        """Start it; send its job after `greeted`.

        Raises:
            OSError: the system cannot start a process.
        """
        slots = [SharedMemory.make() for _ in range(ROOM)]
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
        """The id of the process."""
        return self._process.pid

    async def greeted(self) -> bool:
        """Wait until it is ready for its job; return False if it ended, or is silent for too long."""
        if self._process.stdout is None:
            return False
        try:
            async with asyncio.timeout(_GREETING_TIMEOUT_S):
                return await self._process.stdout.read(len(GREETING)) == GREETING
        except TimeoutError:
            return False

    @asynccontextmanager
    async def reading(
        self, redis_url: str, plan: TenantPlan, stored: Mapping[str, MessageId]
    ) -> AsyncGenerator["ReaderProcess", None]:
        """Have it read after what is stored; `run` receives what it read. On leaving it is ended."""
        wanted = {name: position for name, position in stored.items() if plan.wants(name)}
        self._send(pack_job(ReadingJob(redis_url, plan, wanted)))
        try:
            yield self
        finally:
            await self.end()

    async def run(self) -> None:
        """Receive batches until the process ends, which is logged; then nothing more arrives."""
        try:
            while self._process.stdout is not None:
                slot, size = NOTICE.unpack(await self._process.stdout.readexactly(NOTICE.size))
                release = partial(self._send, slot.to_bytes(1, "big"))
                self.arrived.put_nowait(take_batch(self._slots[slot], size, release))
        except (OSError, asyncio.IncompleteReadError):
            log.warning("the reading process ended; reading in the main process until another one is ready")
        finally:
            self.arrived.put_nowait(None)

    async def end(self) -> None:
        """End it by closing its input, which also happens when this process is killed."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(_END_TIMEOUT_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        for slot in self._slots:
            slot.close()

    def _send(self, content: bytes) -> None:
        """Write to its input; do nothing when it is gone."""
        if self._process.stdin is not None and not self._process.stdin.is_closing():
            with suppress(OSError):
                self._process.stdin.write(content)
