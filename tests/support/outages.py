"""Databases that do not take rows for a while: stopped, read only, locked by another, or on a full disk."""

import asyncio
import os
import pwd
import signal
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import asyncpg
import pytest

from millrace_store.testing import PostgresServer

DISK = "64m"
"""Room for the longest test."""


@contextmanager
def disk(folder: Path, *options: str) -> Iterator[Path]:
    """Mount a small disk of its own; skip the test where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    if _run("mount", "-t", "tmpfs", "-o", ",".join((f"size={DISK}", *options)), "tmpfs", str(folder)):
        pytest.skip("no disk can be mounted here")
    try:
        yield folder
    finally:
        _run("umount", "--lazy", str(folder))
        folder.rmdir()


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Leave no room on a disk."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(65_536))
    yield
    filler.unlink()


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Let nothing be written below a folder that is a mount; nothing there may be open for writing."""
    assert not _run("mount", "-o", "remount,bind,ro", str(folder))
    yield
    assert not _run("mount", "-o", "remount,bind,rw", str(folder))


@asynccontextmanager
async def sqlite_locked(path: Path) -> AsyncIterator[None]:
    """Hold the lock for writing, as another program might."""
    lock = sqlite3.connect(path, isolation_level=None, timeout=10, check_same_thread=False)
    # Beside the event loop: the present holder of the lock may need the loop to release it.
    await asyncio.to_thread(lock.execute, "BEGIN IMMEDIATE")
    yield
    lock.close()


@asynccontextmanager
async def postgres_stopped(server: PostgresServer) -> AsyncIterator[None]:
    """Freeze the server and its sessions: connections stay, and nothing answers."""
    frozen = [server.pid, *_children(server.pid)]
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)


@asynccontextmanager
async def postgres_read_only(url: str) -> AsyncIterator[None]:
    """Let every transaction be read only, as after a failover to a standby."""
    connection = await asyncpg.connect(url)
    name = url.rpartition("/")[2]
    await connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    yield
    await connection.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
    await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    await connection.close()


@asynccontextmanager
async def postgres_locked(url: str, tables: str = "streams") -> AsyncIterator[None]:
    """Hold a lock of tables; of `streams` every commit of rows needs one."""
    connection = await asyncpg.connect(url)
    await connection.execute(f"BEGIN; LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE")
    yield
    await connection.execute("ROLLBACK")
    await connection.close()


@asynccontextmanager
async def database_on(server: PostgresServer, folder: Path) -> AsyncIterator[str]:
    """Make a database whose tables are in a folder, and drop it at the end; return its address."""
    name = f"t{os.urandom(6).hex()}"
    if os.geteuid() == 0:
        os.chown(folder, pwd.getpwnam("nobody").pw_uid, -1)
    connection = await asyncpg.connect(server.url)
    await connection.execute(f"CREATE TABLESPACE {name} LOCATION '{folder}'")
    await connection.execute(f"CREATE DATABASE {name} TABLESPACE {name}")
    yield f"{server.url.rpartition('/')[0]}/{name}"
    # Before its disk is gone: the server would not start again without it.
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.execute(f"DROP TABLESPACE {name}")
    await connection.close()


def _children(parent: int) -> list[int]:
    listed = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(pid) for pid in listed]


def _run(*command: str) -> int:
    return subprocess.run(command, capture_output=True, check=False).returncode
