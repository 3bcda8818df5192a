import asyncio

from millrace_gatherer.streams.following import Watchdog


async def test_silence_is_reported_once_and_no_sooner_than_the_limit() -> None:
    """Each message moves the deadline on; without one it is reported once."""
    loop = asyncio.get_running_loop()
    expired_at: list[float] = []
    expired = asyncio.Event()
    watchdog = Watchdog(0.05, lambda: (expired_at.append(loop.time()), expired.set()))
    watchdog.start()
    loop.call_later(0.03, watchdog.reset)
    began = loop.time()
    await expired.wait()
    assert expired_at[0] - began >= 0.078
    await asyncio.sleep(0.1)
    assert len(expired_at) == 1


async def test_a_stopped_watchdog_reports_nothing() -> None:
    """After `stop` there is no call."""
    expired: list[bool] = []
    watchdog = Watchdog(0.01, lambda: expired.append(True))
    watchdog.start()
    watchdog.stop()
    await asyncio.sleep(0.03)
    assert not expired
