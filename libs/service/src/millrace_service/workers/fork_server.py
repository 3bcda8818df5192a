"""A process that has loaded what the workers share, and forks each worker in milliseconds.

It is forked before the service's process has an event loop, threads or connections, so that workers inherit code and
nothing else. It ends with the service, and the workers end with it, also by `kill -9`.
"""

import asyncio
import contextlib
import faulthandler
import gc
import os
import select
import signal
import socket
import struct
import tempfile
import traceback
from collections.abc import Callable
from typing import Final, NoReturn

from millrace_bus.server import end_with_parent
from millrace_core.errors import MillraceError

_REPORT: Final = struct.Struct(">qq")
"""From the server: a process id, and how it ended as `waitpid` says; `_STARTED` when it was forked."""
_STARTED: Final = -1

_ENDED: Final = "the fork server has ended; start the service again"

RunWorker = Callable[[socket.socket], None]
"""What a worker does with its end of the connection, until it ends."""


class ForkServerEnded(MillraceError):
    """The fork server has ended, so no worker can be started; start the service again."""


class WorkerHandle:
    """A worker's process as the service sees it."""

    def __init__(self, pid: int, connection: socket.socket, stacks: int) -> None:
        self.pid = pid
        self.connection = connection
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        """How it ended, as `waitpid` says."""
        self._stacks = stacks

    def kill(self) -> None:
        """End it at once. Nothing happens if it has ended."""
        if not self.ended.done():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def ask_for_stack(self) -> None:
        """Have it write down where it is; it needs no Python code to run for that."""
        if not self.ended.done():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGUSR1)

    def stack(self) -> str:
        """Return what it has written down: its Python stack, the newest call first; an empty text before that."""
        return os.pread(self._stacks, 1 << 16, 0).decode(errors="replace")

    def close(self) -> None:
        """Release what belongs to an ended worker."""
        self.connection.close()
        os.close(self._stacks)


class ForkServer:
    """Forks workers on demand. Call `start` before the process has an event loop or threads."""

    def __init__(self, pid: int, connection: socket.socket) -> None:
        self.pid = pid
        self._connection = connection
        self._reading: asyncio.AbstractEventLoop | None = None
        self._has_ended = asyncio.Event()
        self._asked: list[asyncio.Future[int]] = []
        self._workers: dict[int, WorkerHandle] = {}

    @classmethod
    def start(cls, run: RunWorker) -> "ForkServer":
        """Fork the server; every worker runs `run`."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        service = os.getpid()
        # Objects that the collector never touches stay shared between the processes.
        gc.collect()
        gc.freeze()
        if (pid := os.fork()) == 0:
            ours.close()
            _become(lambda: _Server(theirs, run).serve(service))
        theirs.close()
        ours.setblocking(False)
        return cls(pid, ours)

    async def fork(self) -> WorkerHandle:
        """Start a worker.

        Raises:
            ForkServerEnded: the server has ended.
        """
        self._listen()
        ours, theirs = socket.socketpair()
        stacks = _unnamed_file()
        asked: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        try:
            socket.send_fds(self._connection, [b"fork"], [theirs.fileno(), stacks])
            self._asked.append(asked)
            handle = WorkerHandle(await asyncio.shield(asked), ours, stacks)
        except BaseException as error:
            ours.close()
            os.close(stacks)
            if isinstance(error, OSError):
                raise ForkServerEnded(_ENDED) from error
            raise
        finally:
            theirs.close()
        self._workers[handle.pid] = handle
        return handle

    async def watch(self) -> NoReturn:
        """Wait for the end of the server.

        Raises:
            ForkServerEnded: it has ended.
        """
        self._listen()
        await self._has_ended.wait()
        raise ForkServerEnded(_ENDED)

    def close(self) -> None:
        """End the server, and with it all workers. Call it once no event loop uses it any more, or within its own."""
        if self._reading is not None and not self._reading.is_closed():
            self._reading.remove_reader(self._connection)
        self._connection.close()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        if self._reading is not loop:
            self._reading = loop
            loop.add_reader(self._connection, self._read)

    def _read(self) -> None:
        while True:
            try:
                report = self._connection.recv(_REPORT.size)
            except BlockingIOError:
                return
            except OSError:
                report = b""
            if not report:
                self._server_ended()
                return
            self._take(*_REPORT.unpack(report))

    def _take(self, pid: int, status: int) -> None:
        if status == _STARTED:
            asked = self._asked.pop(0)
            if asked.done():  # its asker was cancelled
                os.kill(pid, signal.SIGKILL)
            else:
                asked.set_result(pid)
        elif (handle := self._workers.pop(pid, None)) is not None and not handle.ended.done():
            handle.ended.set_result(status)

    def _server_ended(self) -> None:
        if self._reading is not None:
            self._reading.remove_reader(self._connection)
        self._has_ended.set()
        for asked in self._asked:
            if not asked.done():
                asked.set_exception(ForkServerEnded(_ENDED))
        self._asked.clear()
        for handle in self._workers.values():
            if not handle.ended.done():
                handle.ended.set_result(signal.SIGKILL)  # the kernel ends the workers with their server
        self._workers.clear()


class _Server:
    """What runs in the fork server's process: blocking, and without any state but its connection."""

    def __init__(self, connection: socket.socket, run: RunWorker) -> None:
        self._connection = connection
        self._run = run

    def serve(self, service: int) -> None:
        """Fork workers until the service ends."""
        end_with_parent(service, signal.SIGKILL)
        # Ctrl-C at a terminal, and what a service manager sends, reach all processes; the service ends its workers.
        # The request for a stack would end a worker that is not ready for it.
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
            signal.signal(signum, signal.SIG_IGN)
        child_ended, wakeup = socket.socketpair()
        for end in (child_ended, wakeup):
            end.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wakeup.fileno(), warn_on_full_buffer=False)
        while True:
            readable, _, _ = select.select([self._connection, child_ended], [], [])
            if child_ended in readable:
                child_ended.recv(1 << 16)
                self._report_ended()
            if self._connection in readable and not self._fork():
                return

    def _report_ended(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                self._connection.send(_REPORT.pack(*ended))

    def _fork(self) -> bool:
        """Fork the worker that the service asks for; return False if the service has ended."""
        message, descriptors, _, _ = socket.recv_fds(self._connection, 16, 2)
        if not message:
            return False
        server = os.getpid()
        if (pid := os.fork()) == 0:
            self._connection.close()
            _become(lambda: self._work(server, *descriptors))
        for descriptor in descriptors:
            os.close(descriptor)
        self._connection.send(_REPORT.pack(pid, _STARTED))
        return True

    def _work(self, server: int, connection: int, stacks: int) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        end_with_parent(server, signal.SIGKILL)
        faulthandler.register(signal.SIGUSR1, file=stacks, all_threads=False)
        self._run(socket.socket(fileno=connection))


def _become(work: Callable[[], None]) -> NoReturn:
    """Do the work in a process that was just forked, and end it without what the parent would do at its end."""
    code = 1
    try:
        work()
        code = 0
    except BaseException:  # noqa: BLE001 - nobody else is left to report it: this is the end of the process
        traceback.print_exc()
    finally:
        os._exit(code)


def _unnamed_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("millrace-stack")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
