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
import sys
import tempfile
from collections.abc import Callable
from typing import Final, NamedTuple, NoReturn

from millrace_bus.server import end_with_parent
from millrace_core.errors import MillraceError

_REPORT: Final = struct.Struct(">qq")
"""From the server: a process id, and how it ended as `waitpid` says; `_STARTED` when it was forked. After a fork that
failed: the error's number, and `_FAILED`.
"""
_STARTED: Final = -1
_FAILED: Final = -2

_ENDED: Final = "the fork server has ended; start the service again"

RunWorker = Callable[[socket.socket], None]
"""What a worker does with its end of the connection, until it ends."""


class ForkServerEnded(MillraceError):
    """The fork server has ended, so no worker can be started; start the service again."""


class ForkFailed(MillraceError):
    """The system has no room for another process; try again later."""


class WorkerHandle:
    """A worker's process as the service sees it."""

    def __init__(self, pid: int, connection: socket.socket, stacks: int) -> None:
        self.pid = pid
        self.connection = connection
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        """How it ended, as `waitpid` says."""
        self._stacks = stacks

    def kill(self) -> None:
        """End it and the processes that it has started at once. Nothing happens if it has ended."""
        if not self.ended.done():
            _kill_group(self.pid)

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


class _Asked(NamedTuple):
    """A worker that was asked for."""

    answer: asyncio.Future[WorkerHandle]
    connection: socket.socket
    stacks: int


class ForkServer:
    """Forks workers on demand. Call `start` before the process has an event loop or threads."""

    def __init__(self, pid: int, connection: socket.socket) -> None:
        self.pid = pid
        self._connection = connection
        self._reading: asyncio.AbstractEventLoop | None = None
        self._has_ended = asyncio.Event()
        self._asking = asyncio.Lock()
        self._asked: list[_Asked] = []
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
            ForkFailed: the system has no room for another process.
            ForkServerEnded: the server has ended.
        """
        self._listen()
        # One at a time: the connection holds few requests.
        async with self._asking:
            with contextlib.ExitStack() as opened:
                ours, theirs = socket.socketpair()
                opened.callback(ours.close)
                with theirs:
                    stacks = _unnamed_file()
                    opened.callback(os.close, stacks)
                    asked = _Asked(asyncio.get_running_loop().create_future(), ours, stacks)
                    try:
                        socket.send_fds(self._connection, [b"fork"], [theirs.fileno(), stacks])
                    except OSError as error:
                        raise ForkServerEnded(_ENDED) from error
                self._asked.append(asked)
                handle = await asked.answer
                opened.pop_all()
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
        if status in (_STARTED, _FAILED):
            self._answer(pid, status)
        elif (handle := self._workers.pop(pid, None)) is not None and not handle.ended.done():
            handle.ended.set_result(status)

    def _answer(self, pid: int, status: int) -> None:
        asked = self._asked.pop(0)
        if status == _FAILED:
            if not asked.answer.done():
                asked.answer.set_exception(ForkFailed(f"no worker can be started: {os.strerror(pid)}"))
        elif asked.answer.done():  # its asker was cancelled
            _kill_group(pid)
        else:
            # Now, not by the asker: the report of its end may come next.
            handle = self._workers[pid] = WorkerHandle(pid, asked.connection, asked.stacks)
            asked.answer.set_result(handle)

    def _server_ended(self) -> None:
        if self._reading is not None:
            self._reading.remove_reader(self._connection)
        self._has_ended.set()
        for asked in self._asked:
            if not asked.answer.done():
                asked.answer.set_exception(ForkServerEnded(_ENDED))
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
            while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
                # What a worker has started ends with it. Until it is waited for, no other process has its number.
                _kill_group(ended.si_pid)
                self._connection.send(_REPORT.pack(*os.waitpid(ended.si_pid, 0)))

    def _fork(self) -> bool:
        """Fork the worker that the service asks for; return False if the service has ended."""
        message, descriptors, _, _ = socket.recv_fds(self._connection, 16, 2)
        if not message:
            return False
        server = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            self._connection.send(_REPORT.pack(error.errno or 0, _FAILED))
        else:
            if pid == 0:
                self._connection.close()
                _become(lambda: self._work(server, *descriptors))
            # A group of its own, so that what it starts ends with it; here too, for it may be killed before it runs.
            os.setpgid(pid, pid)
            self._connection.send(_REPORT.pack(pid, _STARTED))
        for descriptor in descriptors:
            os.close(descriptor)
        return True

    def _work(self, server: int, connection: int, stacks: int) -> None:
        os.setpgid(0, 0)
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
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _unnamed_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("millrace-stack")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
