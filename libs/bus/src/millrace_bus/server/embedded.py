"""Embedded Redis server: finds the binary, starts it on a free port, stops it with this process, keeps its data."""

import asyncio
import contextlib
import fcntl
import signal
import time
from pathlib import Path
from typing import IO, Self
from urllib.parse import quote

from millrace_bus.connection.address import Address
from millrace_bus.connection.connection import connect
from millrace_bus.errors import BusError, ServerFailed
from millrace_bus.server.binary import find_server
from millrace_bus.server.die_with_parent import bound_to_us
from millrace_bus.server.ports import free_port, owner_of, port_is_free

HOST = "127.0.0.1"
_START_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 10.0
_LOCK_TIMEOUT_S = 3.0


class EmbeddedServer:
    """A running server; made by `start`. It dies with this process, even when that is killed -9."""

    def __init__(self, binary: Path, data_dir: Path, password: str | None) -> None:
        self.data_dir = data_dir
        self.port = 0
        self._binary, self._password = binary, password
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """Return the URL that `Bus.connect` takes."""
        login = f":{quote(self._password, safe='')}@" if self._password else ""
        return f"redis://{login}{HOST}:{self.port}/0"

    @property
    def pid(self) -> int:
        """Return the server's process id; 0 while it does not run."""
        return self._process.pid if self._process is not None else 0

    @property
    def log_path(self) -> Path:
        """Return the server's log file."""
        return self.data_dir / "server.log"

    @classmethod
    async def start(cls, data_dir: Path, *, port: int | None = None, password: str | None = None) -> Self:
        """Start a server on a port (a free one if None) with its data in `data_dir`; wait until it answers.

        Raises:
            ServerFailed: no server binary, the port is taken, the directory cannot be written or is in use.
        """
        server = cls(await asyncio.to_thread(find_server), _usable(data_dir), password)
        server.port = port if port is not None else free_port()
        await server._run()
        return server

    async def stop(self) -> None:
        """End the server; its data is on disk then. Stopping twice is harmless."""
        await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """Kill the server with -9, as a fault would; return when it is gone."""
        await self._end(signal.SIGKILL)

    async def restart(self) -> None:
        """Start again on the same port and data, stopping first if it runs; wait until it answers.

        Raises:
            ServerFailed: as `start`.
        """
        await self.stop()
        await self._run()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _run(self) -> None:
        if not port_is_free(HOST, self.port):
            raise await asyncio.to_thread(self._port_taken)
        lock = await _lock(self.data_dir)
        with lock:
            self._process = await asyncio.create_subprocess_exec(
                *bound_to_us(str(self._binary), "-"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                # The server inherits the lock and so holds it exactly as long as it lives, even without us.
                pass_fds=[lock.fileno()],
                # Ctrl-C in a terminal is for us; the server ends when we say so.
                start_new_session=True,
            )
            _note(lock, self._process.pid)
        await self._configure(self._process)
        await self._answers(self._process)

    async def _configure(self, process: asyncio.subprocess.Process) -> None:
        """Hand the configuration over by standard input: a password is then in no process list."""
        if (stdin := process.stdin) is None:
            return
        stdin.write(_config(self.port, self.data_dir, self.log_path, self._password).encode())
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            await stdin.drain()
        stdin.close()

    async def _answers(self, process: asyncio.subprocess.Process) -> None:
        deadline = time.monotonic() + _START_TIMEOUT_S
        address = Address(HOST, self.port, password=self._password)
        ended = asyncio.ensure_future(process.wait())
        try:
            while not ended.done():
                try:
                    async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                        (await connect(address, "millrace-start")).abort()
                except (OSError, BusError) as error:
                    if time.monotonic() > deadline:
                        await self.kill()
                        raise ServerFailed(
                            f"the server does not answer: {str(error) or 'it says nothing'}; see {self.log_path}"
                        ) from error
                else:
                    return
                await asyncio.wait([ended], timeout=0.01)
        finally:
            ended.cancel()
        self._process = None
        raise await asyncio.to_thread(self._why_it_exited)

    def _why_it_exited(self) -> ServerFailed:
        """Return the error that says why the server exited at start."""
        last = self.log_path.read_text(errors="replace")[-2_000:] if self.log_path.exists() else ""
        if "Address already in use" in last.rpartition("starting")[2] or not port_is_free(HOST, self.port):
            return self._port_taken()
        lines = [line for line in last.splitlines() if line.strip()] or ["its log is empty"]
        return ServerFailed(
            f"the server exited at start: {lines[-1].strip()}; see {self.log_path}",
            port=self.port,
            data_dir=self.data_dir,
        )

    def _port_taken(self) -> ServerFailed:
        return ServerFailed(
            f"port {self.port} is in use by {owner_of(self.port)}: stop it, or choose another port", port=self.port
        )

    async def _end(self, by: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(by)
        try:
            async with asyncio.timeout(_STOP_TIMEOUT_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def _config(port: int, data_dir: Path, log_path: Path, password: str | None) -> str:
    lines = [
        f"port {port}",
        f"bind {HOST}",
        f'dir "{data_dir}"',
        f'logfile "{log_path}"',
        "daemonize no",
        # Everything is in the append-only file; a second form of it would only cost.
        'save ""',
        "appendonly yes",
        "appendfsync everysec",
        "notify-keyspace-events K$",
    ]
    if password:
        escaped = password.replace("\\", r"\\").replace('"', r"\"")
        lines.append(f'requirepass "{escaped}"')
    return "\n".join(lines) + "\n"


def _usable(data_dir: Path) -> Path:
    """Return the directory as an absolute path; make it if it is missing."""
    _lock_file(data_dir).close()
    return data_dir.absolute()


def _lock_file(data_dir: Path) -> IO[str]:
    try:
        # Configurations lie there, and perhaps keys in plain text.
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        return (data_dir / "server.lock").open("a+")
    except OSError as error:
        raise ServerFailed(
            f"{data_dir} cannot hold the server's data: {error.strerror}; choose another directory", data_dir=data_dir
        ) from error


async def _lock(data_dir: Path) -> IO[str]:
    """Lock the data directory; wait for a server that is just ending."""
    file = _lock_file(data_dir)
    deadline = time.monotonic() + _LOCK_TIMEOUT_S
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > deadline:
                file.seek(0)
                pid = file.read().strip() or "unknown"
                file.close()
                raise ServerFailed(
                    f"{data_dir} is in use by another server (process {pid}): end it, or choose another directory",
                    data_dir=data_dir,
                ) from None
            await asyncio.sleep(0.05)
        else:
            return file


def _note(lock: IO[str], pid: int) -> None:
    lock.seek(0)
    lock.truncate()
    lock.write(str(pid))
    lock.flush()
