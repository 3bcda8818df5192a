"""One worker, as its service sees it."""

import asyncio
import pickle
import sys
from collections.abc import AsyncGenerator
from typing import Final, Self

from millrace_store.backends.reading import note_rows
from millrace_store.errors import WorkerEnded
from millrace_store.workers.frames import END, ERROR, HEAD, ORDER, PIECE, Order, frame

_PROGRAM: Final = "millrace_store.workers.worker"


class Worker:
    """A process that answers one order at a time."""

    def __init__(
        self, process: asyncio.subprocess.Process, orders: asyncio.StreamWriter, answers: asyncio.StreamReader
    ) -> None:
        self._process, self._orders, self._answers = process, orders, answers
        self.is_free = True
        """Whether it waits for an order."""

    @classmethod
    async def start(cls) -> Self:
        """Start one; it takes orders at once."""
        command = (sys.executable, "-m", _PROGRAM)
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a process without pipes")
        return cls(process, process.stdin, process.stdout)

    @property
    def has_ended(self) -> bool:
        """Tell whether it was killed, or has failed."""
        return self._process.returncode is not None

    async def answer(self, order: Order) -> AsyncGenerator[bytes, None]:
        """Return the answer piece by piece; rows are noted as they are read.

        Raises:
            StoreError: as the query raises it, or `WorkerEnded`.
            ValueError: as the query raises it.
        """
        self.is_free = False
        try:
            self._orders.write(frame(ORDER, pickle.dumps(order)))
            while (received := await self._frame())[0] not in (END, ERROR):
                kind, body = received
                if kind == PIECE:
                    yield body
                else:
                    note_rows(int(body))
        except (OSError, asyncio.IncompleteReadError) as error:
            raise WorkerEnded(await self._process.wait()) from error
        self.is_free = True
        if received[0] == ERROR:
            raise pickle.loads(received[1])  # noqa: S301 - our own worker's

    async def kill(self) -> None:
        """End it at once, whatever it is doing."""
        if not self.has_ended:
            self._process.kill()
        await self._process.wait()

    async def _frame(self) -> tuple[bytes, bytes]:
        kind, length = HEAD.unpack(await self._answers.readexactly(HEAD.size))
        return kind, await self._answers.readexactly(length)
