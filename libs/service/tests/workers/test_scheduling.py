"""Processes that never wait give way to those that do, and only as long as that lasts."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from millrace_service.workers import scheduling
from millrace_service.workers.scheduling import Scheduling
from millrace_service.workers.usage import ProcessUsage

LOOPS_UNTIL_ASKED = """
import signal, time
looping = True
def wait(*_):
    global looping
    looping = False
signal.signal(signal.SIGUSR1, wait)
print(flush=True)
while looping:
    pass
while True:
    time.sleep(0.01)
"""

pytestmark = pytest.mark.skipif(not scheduling._can_be_taken_back(), reason="the system lets no process go back")


@pytest.fixture
async def looping() -> AsyncIterator[Any]:
    """A process that loops until it gets SIGUSR1, and then mostly waits."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LOOPS_UNTIL_ASKED, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    await process.stdout.readline()
    yield process
    process.kill()
    await process.wait()


async def test_one_that_loops_gives_way_and_takes_its_turn_again_once_it_waits(looping: Any) -> None:
    """The kernel has it in the idle class meanwhile."""
    usage = Undisturbed(looping.pid)
    watched = Scheduling(usage)
    await until(usage, watched, lambda: watched.gives_way)
    assert os.sched_getscheduler(looping.pid) == os.SCHED_IDLE
    looping.send_signal(signal.SIGUSR1)
    await until(usage, watched, lambda: not watched.gives_way)
    assert os.sched_getscheduler(looping.pid) == os.SCHED_OTHER


async def test_one_that_gets_nothing_takes_its_turn_again(looping: Any) -> None:
    """Else a busy machine would keep it from ever ending its work."""
    usage = Undisturbed(looping.pid)
    watched = Scheduling(usage)
    await until(usage, watched, lambda: watched.gives_way)
    usage.starves = True
    await until(usage, watched, lambda: not watched.gives_way)
    assert not usage.has_waited
    assert os.sched_getscheduler(looping.pid) == os.SCHED_OTHER


def test_the_share_of_a_core_is_what_was_used_since_the_measurement_before() -> None:
    """Held against this process's own clock of what it used, however much of a core it got."""
    usage = ProcessUsage(os.getpid())
    started_s, used_s = time.monotonic(), time.process_time()
    while time.process_time() < used_s + 0.3:
        pass
    usage.measure()
    expected = (time.process_time() - used_s) / (time.monotonic() - started_s)
    assert usage.share_of_core == pytest.approx(expected, abs=0.1)


async def test_a_process_that_has_ended_is_no_error() -> None:
    """It may end between two looks at it."""
    process = await asyncio.create_subprocess_exec("true")
    usage = ProcessUsage(process.pid)
    watched = Scheduling(usage)
    await process.wait()
    usage.measure()
    watched.decide()
    assert not watched.gives_way


async def test_nothing_gives_way_that_could_not_take_its_turn_again(
    looping: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the right to leave the idle class again a process stays in its own."""
    monkeypatch.setattr(scheduling, "_can_be_taken_back", lambda: False)
    usage = Undisturbed(looping.pid)
    watched = Scheduling(usage)
    await until(usage, watched, lambda: usage.share_of_core > 0.8 and not usage.has_waited)
    assert os.sched_getscheduler(looping.pid) == os.SCHED_OTHER


class Undisturbed(ProcessUsage):
    """Measures a process as if it had a core for itself, whatever else this machine does."""

    starves = False
    """Whether it is said to get nothing instead, as where others want every core."""

    @property
    def share_of_core(self) -> float:
        """A whole core, unless it has waited."""
        if self.starves:
            return 0.0
        return super().share_of_core if self.has_waited else 1.0


async def until(usage: ProcessUsage, watched: Scheduling, reached: Callable[[], bool]) -> None:
    """Look at the process as often as its watch does, until a condition is met."""
    async with asyncio.timeout(60):
        while not reached():
            await asyncio.sleep(0.1)
            usage.measure()
            watched.decide()
