import os
import signal
from collections.abc import AsyncIterator

import pytest

from millrace_core.backoff import BackoffPolicy
from millrace_dbsync.reader.pool import Readers


@pytest.fixture
async def readers() -> AsyncIterator[Readers]:
    """Nobody is started yet, and whoever fails is replaced at once."""
    readers = Readers(BackoffPolicy(first_s=0.0, limit_s=0.0))
    yield readers
    await readers.close()


async def test_one_waits_for_whoever_needs_it(readers: Readers) -> None:
    """It is started once, in the background, and taken once."""
    assert readers.take() is None
    readers.prepare()
    readers.prepare()
    assert not readers.has_spare
    await readers.prepared()
    taken = readers.take()
    assert taken is not None
    assert readers.take() is None
    await taken.end()


async def test_the_next_one_waits_while_the_last_one_failed() -> None:
    """A process that ends by itself again and again is not started as fast as it ends."""
    readers = Readers(BackoffPolicy(first_s=60.0, limit_s=60.0))
    readers.failed()
    readers.prepare()
    await readers.prepared()
    assert not readers.has_spare
    await readers.close()


async def test_another_takes_the_place_of_one_that_died(readers: Readers) -> None:
    """Whoever needs one is not left without for long."""
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
