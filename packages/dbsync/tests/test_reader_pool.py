import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest

from millrace_core.backoff import BackoffPolicy
from millrace_dbsync.reader import process
from millrace_dbsync.reader.pool import ReaderPool
from millrace_dbsync.reader.process import ReaderProcess


@pytest.fixture
async def readers() -> AsyncIterator[ReaderPool]:
    """A pool in which no process is started yet, and one that fails is replaced at once."""
    readers = ReaderPool(BackoffPolicy(first_s=0.0, limit_s=0.0))
    yield readers
    await readers.close()


async def test_a_spare_process_is_started_once_and_taken_once(readers: ReaderPool) -> None:
    """Asking for it again while it starts changes nothing."""
    assert readers.take() is None
    readers.prepare()
    readers.prepare()
    assert not readers.has_spare
    await readers.prepared()
    taken = readers.take()
    assert taken is not None
    assert readers.take() is None
    await taken.end()


async def test_the_next_one_waits_after_a_failure() -> None:
    """A process that ends by itself again and again is not started as fast as it ends."""
    readers = ReaderPool(BackoffPolicy(first_s=60.0, limit_s=60.0))
    readers.failed()
    readers.prepare()
    await readers.prepared()
    assert not readers.has_spare
    await readers.close()


async def test_a_process_that_died_is_replaced(readers: ReaderPool) -> None:
    """The next spare process is ready after the first pause."""
    readers.prepare()
    await readers.prepared()
    dead = readers.take()
    assert dead is not None
    os.kill(dead.pid, signal.SIGKILL)
    await dead.end()
    readers.failed()
    readers.prepare()
    await readers.prepared()
    assert readers.has_spare


async def test_a_start_that_fails_unforeseen_is_not_silent(
    readers: ReaderPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unforeseen error reaches the unit that asks for a process next."""

    async def start() -> ReaderProcess:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(ReaderProcess, "start", start)
    readers.prepare()
    await readers.prepared()
    with pytest.raises(RuntimeError, match="unforeseen"):
        readers.prepare()


async def test_a_process_that_never_greets_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A start that hangs ends by itself, and no unit waits for it longer than its limit."""
    monkeypatch.setattr(process, "_GREETING_TIMEOUT_S", 0.05)
    hanging = await ReaderProcess.start()
    os.kill(hanging.pid, signal.SIGSTOP)
    async with asyncio.timeout(20):
        assert not await hanging.greeted()
        await hanging.end()
