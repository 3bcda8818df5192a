"""The process that decodes large hauls, from the outside: a few questions at a time, answered in their order."""

import asyncio
import sys
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar

from millrace_dbsync.passing import WORD_BYTES, Passage, word, word_of

QUESTIONS: Final = 4
"""At a time: while one is answered the next ones are there already."""
_END_S: Final = 2.0


T = TypeVar("T")


class WorkerEnded(Exception):
    """The process ended; what it was asked is not answered."""


class _Slot(NamedTuple):
    number: int
    there: Passage
    back: Passage


class _Asked(NamedTuple):
    slot: _Slot
    answer: "asyncio.Future[Any]"
    read: Callable[[memoryview], Any]


class Worker:
    """A running process of `millrace_dbsync.shelving_worker`."""

    def __init__(self, process: asyncio.subprocess.Process, slots: list[_Slot]) -> None:
        self._process, self._slots = process, slots
        self._free: asyncio.Queue[_Slot] = asyncio.Queue()
        for slot in slots:
            self._free.put_nowait(slot)
        self._asked: deque[_Asked] = deque()
        self._reading = asyncio.create_task(self._read(), name="answers of the decoding process")

    @classmethod
    async def start(cls) -> "Worker":
        """Start the process."""
        slots = [_Slot(number, Passage.make(), Passage.make()) for number in range(QUESTIONS)]
        descriptors = [passage.descriptor for slot in slots for passage in (slot.there, slot.back)]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "millrace_dbsync.shelving_worker", *map(str, descriptors)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=descriptors,
        )
        return cls(process, slots)

    @property
    def pid(self) -> int:
        """The process's."""
        return self._process.pid

    async def ask(self, question: bytes, read: Callable[[memoryview], T]) -> T:
        """Give what `read` makes of the answer. Whoever no longer waits for his is no trouble to others.

        Raises:
            WorkerEnded: there will be none.
        """
        slot = await self._free.get()
        if self._reading.done() or self._process.stdin is None:
            self._free.put_nowait(slot)
            raise WorkerEnded
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._asked.append(_Asked(slot, answer, read))
        self._process.stdin.write(word(slot.number, slot.there.put(question)))
        return await answer

    async def end(self) -> None:
        """End the process by the end of its input, which also ends it when this process is killed."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(_END_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._reading
        for slot in self._slots:
            slot.there.close()
            slot.back.close()

    async def _read(self) -> None:
        """Hand out the answers until there are no more."""
        if self._process.stdout is None:
            raise RuntimeError("started without pipes")
        while True:
            try:
                number, size = word_of(await self._process.stdout.readexactly(WORD_BYTES))
            except (OSError, asyncio.IncompleteReadError):
                break
            asked = self._asked.popleft()
            if not asked.answer.done():
                asked.answer.set_result(asked.read(self._slots[number].back.take(size)))
            self._free.put_nowait(asked.slot)
        for asked in self._asked:
            if not asked.answer.done():
                asked.answer.set_exception(WorkerEnded())
            self._free.put_nowait(asked.slot)
        self._asked.clear()
