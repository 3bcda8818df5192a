import asyncio

from millrace_gatherer.silence import Silence


async def test_silence_is_told_once_and_no_sooner_than_the_limit() -> None:
    """Each message moves the deadline on; without one it is told once."""
    loop = asyncio.get_running_loop()
    told: list[float] = []
    broken = asyncio.Event()
    silence = Silence(0.05, lambda: (told.append(loop.time()), broken.set()))
    silence.start()
    loop.call_later(0.03, silence.heard)
    began = loop.time()
    await broken.wait()
    assert told[0] - began >= 0.078
    await asyncio.sleep(0.1)
    assert len(told) == 1


async def test_a_stopped_watch_says_nothing() -> None:
    """After `stop` nobody is called."""
    told: list[bool] = []
    silence = Silence(0.01, lambda: told.append(True))
    silence.start()
    silence.stop()
    await asyncio.sleep(0.03)
    assert not told
