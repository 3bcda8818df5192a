"""Workers, as their service sees them, and the process that they are forked from."""

import asyncio
import pickle
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Final, Self

from millrace_store.backends.reading import note_rows
from millrace_store.errors import WorkerEnded
from millrace_store.workers.frames import END, ERROR, HEAD, ORDER, PIECE, Order, frame

_NICENESS: Final = 10
"""The services come first."""
# Before the imports, which take most of a second.
_PROGRAM: Final = f"import os; os.nice({_NICENESS}); from millrace_store.workers.fork_server import main; main()"
_BYTES_A_READ: Final = 262_144


class Worker:
    """A process that answers one order at a time."""

    def __init__(self, answers: asyncio.StreamReader, orders: asyncio.StreamWriter) -> None:
        self._answers, self._orders = answers, orders
        self.is_free = True
        """Whether it waits for an order."""

    @property
    def has_ended(self) -> bool:
        """Tell whether it was killed, or has failed."""
        return self._answers.at_eof()

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
            raise WorkerEnded from error
        self.is_free = True
        if received[0] == ERROR:
            raise pickle.loads(received[1])  # noqa: S301 - our own worker's

    async def end(self) -> None:
        """End it at once, whatever it is doing, and wait until it has ended."""
        try:
            with suppress(OSError):
                self._orders.write_eof()
                while await self._answers.read(_BYTES_A_READ):
                    pass
        finally:
            self._orders.close()

    async def _frame(self) -> tuple[bytes, bytes]:
        kind, length = HEAD.unpack(await self._answers.readexactly(HEAD.size))
        return kind, await self._answers.readexactly(length)


class ForkServer:
    """The process that workers are forked from."""

    def __init__(self, process: asyncio.subprocess.Process, control: socket.socket) -> None:
        self._process, self._control = process, control

    @classmethod
    async def start(cls) -> Self:
        """Start it; workers can be had at once."""
        ours, its = socket.socketpair()
        with its:
            process = await asyncio.create_subprocess_exec(sys.executable, "-c", _PROGRAM, stdin=its.fileno())
        return cls(process, ours)

    @property
    def has_ended(self) -> bool:
        """Tell whether it has failed."""
        return self._process.returncode is not None

    async def worker(self) -> Worker:
        """Return a new worker; it takes orders at once."""
        ours, its = socket.socketpair()
        with its, suppress(OSError):  # one that has no worker at its other end says so when it is read
            socket.send_fds(self._control, [b"w"], [its.fileno()])
        return Worker(*await asyncio.open_unix_connection(sock=ours))

    async def end(self) -> None:
        """End it; its workers go on."""
        self._control.close()
        await self._process.wait()
