"""Large hauls are decoded in a process of their own: meanwhile this one reads the next and commits the last.

A haul goes there as bytes and comes back as a batch. Nothing is kept there, so nothing is lost with it: whatever
happens to that process, the haul is still here and is decoded here.
"""

import asyncio
import os
import sys
from collections.abc import Mapping
from typing import Final

import structlog

from millrace_bus import JournalPage
from millrace_dbsync.shelved import Shelved
from millrace_dbsync.shelving_wire import SIZE_BYTES, packed_pages, shelved_of
from millrace_service.backoff import Backoff, BackoffPolicy
from millrace_store import Batch

WORTHWHILE: Final = 2_000
"""Messages from which on a haul is worth the way to another process and back."""
_RETRIES: Final = BackoffPolicy(first_s=1.0, limit_s=60.0)
_BUFFER: Final = 16 * 1024 * 1024
_END_S: Final = 2.0

log = structlog.get_logger()


class ShelvingProcess:
    """Decodes hauls, one at a time, in a process that is started with the first large one."""

    def __init__(self, retries: BackoffPolicy = _RETRIES) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._one_at_a_time = asyncio.Lock()
        self._backoff = Backoff(retries)
        self._not_before = float("-inf")
        self._is_of_use = (os.cpu_count() or 1) > 1

    @property
    def pid(self) -> int | None:
        """The process; None while there is none."""
        return None if self._process is None else self._process.pid

    async def shelve(self, pages: Mapping[str, JournalPage]) -> tuple[Batch, Shelved] | None:
        """Decode pages; None when that must be done here: there are few, or the process failed."""
        if not self._is_of_use or sum(map(len, pages.values())) < WORTHWHILE:
            return None
        async with self._one_at_a_time:
            now = asyncio.get_running_loop().time()
            if self._process is None and now < self._not_before:
                return None
            try:
                answer = await self._ask(packed_pages(pages))
            except (OSError, asyncio.IncompleteReadError) as error:
                await self._end()
                self._not_before = now + self._backoff.failed()
                log.warning("the process that decodes large batches ended; decoding them here", reason=str(error))
                return None
            self._backoff.recovered()
        return shelved_of(answer)

    async def start(self) -> None:
        """Have the process ready now, instead of with the first large haul."""
        async with self._one_at_a_time:
            await self._ask(packed_pages({}))

    async def close(self) -> None:
        """End the process."""
        async with self._one_at_a_time:
            await self._end()

    async def _ask(self, question: bytes) -> bytes:
        process = await self._started()
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("started without pipes")
        process.stdin.write(len(question).to_bytes(SIZE_BYTES, "big"))
        process.stdin.write(question)
        await process.stdin.drain()
        size = int.from_bytes(await process.stdout.readexactly(SIZE_BYTES), "big")
        return await process.stdout.readexactly(size)

    async def _started(self) -> asyncio.subprocess.Process:
        if self._process is None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "millrace_dbsync.shelving_worker"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=_BUFFER,
            )
        return self._process

    async def _end(self) -> None:
        """End it by the end of its input, which also ends it when this process is killed."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(_END_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
