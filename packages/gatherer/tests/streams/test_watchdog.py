import asyncio
import time

import pytest

from millrace_gatherer.streams.following import Watchdog
from millrace_gatherer.streams.silence import UsualSilence


def begin(limit_s: float) -> tuple[UsualSilence, Watchdog, "asyncio.Queue[float]"]:
    """Watch a stream that has just had a message; return the silences that are too long."""
    loop, found = asyncio.get_running_loop(), asyncio.Queue[float]()
    silence = UsualSilence(limit_s, loop.time())
    watchdog = Watchdog(silence, found.put_nowait)
    watchdog.start()
    silence.received(loop.time())
    return silence, watchdog, found


@pytest.fixture(autouse=True)
def connecting_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten how long the first message may take."""
    monkeypatch.setattr("millrace_gatherer.streams.silence.CONNECTING_S", 0.1)


async def test_silence_is_reported_once_and_no_sooner_than_the_limit() -> None:
    """Each message moves the deadline on; without one it is reported once."""
    loop = asyncio.get_running_loop()
    silence, _, found = begin(0.3)
    loop.call_later(0.1, lambda: silence.received(loop.time()))
    began = loop.time()
    assert await found.get() >= 0.3
    assert loop.time() - began >= 0.39
    await asyncio.sleep(0.5)
    assert found.empty()


async def test_a_stopped_watchdog_reports_nothing() -> None:
    """After `stop` there is no call."""
    _, watchdog, found = begin(0.01)
    watchdog.stop()
    await asyncio.sleep(0.3)
    assert found.empty()


async def test_a_process_that_stood_still_reads_what_has_arrived_first() -> None:
    """Messages that wait in the socket are no silence."""
    loop = asyncio.get_running_loop()
    silence, _, found = begin(0.3)
    await asyncio.sleep(0)
    time.sleep(0.8)  # noqa: ASYNC251 (the whole process stands still)
    loop.call_later(0.05, lambda: silence.received(loop.time()))
    assert await found.get() < 0.5
