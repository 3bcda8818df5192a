"""The fork server: workers come in milliseconds, and nothing of an ended one is left."""

import asyncio
import logging
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from millrace_service.workers.fork_server import ForkServer, ForkServerEnded

log = logging.getLogger(__name__)

DEATHS = int(os.environ.get("MILLRACE_TEST_DEATHS", "200"))


def work(connection: socket.socket) -> None:
    """Answer each byte until the connection is closed; `L` never returns, `X` exits with 3."""
    while byte := connection.recv(1):
        if byte == b"L":
            while True:
                pass
        if byte == b"X":
            os._exit(3)
        connection.send(byte)


@pytest.fixture
def server() -> Iterator[ForkServer]:
    """A fork server, forked before the test's event loop does anything."""
    server = ForkServer.start(work)
    yield server
    server.close()


async def test_a_worker_is_connected(server: ForkServer) -> None:
    """Bytes reach it, and come back; it ends with its connection, and its end is told."""
    worker = await server.fork()
    assert await said(worker.connection, b"a") == b"a"
    worker.connection.close()
    assert os.waitstatus_to_exitcode(await worker.ended) == 0
    worker.close()


async def test_how_it_ended_is_reported(server: ForkServer) -> None:
    """An exit code, or the signal."""
    first, second = await server.fork(), await server.fork()
    first.connection.send(b"X")
    second.kill()
    assert os.waitstatus_to_exitcode(await first.ended) == 3
    assert os.waitstatus_to_exitcode(await second.ended) == -signal.SIGKILL
    first.close()
    second.close()


async def test_one_that_ends_at_once_is_reported(server: ForkServer) -> None:
    """It is killed before this process has read that it was started: its end is reported all the same."""
    asking = asyncio.create_task(server.fork())
    await asyncio.sleep(0)
    while not (started := children(server.pid)):
        pass
    os.kill(int(started[0]), signal.SIGKILL)
    while children(server.pid):
        pass
    worker = await asking
    async with asyncio.timeout(60):
        assert os.waitstatus_to_exitcode(await worker.ended) == -signal.SIGKILL
    worker.close()


async def test_many_may_be_asked_for_at_once(server: ForkServer) -> None:
    """More requests than the connection holds wait for their turn."""
    workers = await asyncio.gather(*(server.fork() for _ in range(400)))
    for worker in workers:
        worker.kill()
    for worker in workers:
        await worker.ended
        worker.close()


async def test_one_that_never_yields_says_where_it_is(server: ForkServer) -> None:
    """Its stack names the line that loops, although it runs no Python code for that."""
    worker = await server.fork()
    worker.connection.send(b"L")
    async with asyncio.timeout(60):
        while "in work" not in worker.stack():
            worker.ask_for_stack()
            await asyncio.sleep(0.01)  # the kernel announces no contents of a file
    worker.kill()
    await worker.ended
    worker.close()


async def test_forced_deaths_leave_nothing(server: ForkServer) -> None:
    """No process, no descriptor and no memory, in the service and in the fork server."""
    for _ in range(20):
        await one_death(server)
    processes, files, memory = children(server.pid), open_files(server.pid), resident_mb(server.pid)
    ours = open_files(os.getpid())
    started = time.monotonic()
    for _ in range(DEATHS):
        await one_death(server)
    log.info("deaths=%d seconds=%.1f memory_mb=%.1f", DEATHS, time.monotonic() - started, resident_mb(server.pid))
    assert children(server.pid) == processes == []
    assert open_files(server.pid) == files
    assert open_files(os.getpid()) == ours
    assert resident_mb(server.pid) - memory < 2


async def test_without_the_server_there_are_no_workers(server: ForkServer) -> None:
    """Its end is told to all that wait for it or for a worker, and to those who ask later; its workers end with it."""
    worker = await server.fork()
    watching = asyncio.create_task(server.watch())
    await asyncio.sleep(0)
    os.kill(server.pid, signal.SIGKILL)
    with pytest.raises(ForkServerEnded):
        await watching
    await worker.ended
    worker.close()
    with pytest.raises(ForkServerEnded):
        await server.fork()


async def one_death(server: ForkServer) -> None:
    """Fork a worker and kill it."""
    worker = await server.fork()
    worker.kill()
    await worker.ended
    worker.close()


async def said(connection: socket.socket, text: bytes) -> bytes:
    """Send a text, and return the answer."""
    connection.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(connection, text)
    return await loop.sock_recv(connection, 100)


def children(pid: int) -> list[str]:
    """Return the processes that one has started and that have not ended."""
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def open_files(pid: int) -> int:
    """Return how many descriptors a process has."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def resident_mb(pid: int) -> float:
    """Return a process's resident memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
