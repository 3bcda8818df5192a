"""One unit kept running."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from millrace_core.backoff import Backoff, BackoffPolicy
from millrace_core.errors import MillraceError
from millrace_service.health import ErrorLog, UnitHealthReporter
from millrace_service.unit import Unit

QUICK = BackoffPolicy(first_s=0.001, limit_s=0.002, healthy_after_s=0.02)
NEVER = BackoffPolicy(first_s=3600, limit_s=3600)


class Work:
    """Work of a test: follows a script, then runs until cancelled; remembers what happened."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self.ended: list[str] = []
        self.failures: list[BaseException] = []
        """Raised by the next runs, one each."""
        self.alive = 0
        self.most_alive = 0
        self.release: asyncio.Event | None = None
        """Waited for when cancelled: a clean-up that takes its time."""
        self.fail = asyncio.Event()
        """Ends the present run with an error."""
        self._event = asyncio.Event()

    async def run(self, _key: str, config: str, health: UnitHealthReporter) -> None:
        """Do the work."""
        self.began.append(config)
        self.alive += 1
        self.most_alive = max(self.most_alive, self.alive)
        self._event.set()
        try:
            if self.failures:
                raise self.failures.pop(0)
            health.state("live")
            await self.fail.wait()
            self.fail.clear()
            raise OSError("no route")
        finally:
            if self.release is not None:
                await self.release.wait()
            self.alive -= 1
            self.ended.append(config)
            self._event.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds that changes when a run begins or ends."""
        async with asyncio.timeout(60):
            while not condition():
                self._event.clear()
                await self._event.wait()


@pytest.fixture
def work() -> Work:
    """The work to be kept running."""
    return Work()


@pytest.fixture
def health() -> UnitHealthReporter:
    """The unit's reporter."""
    return UnitHealthReporter("unit", changed=lambda: None, errors=ErrorLog())


MakeUnit = Callable[..., Unit[str]]


@pytest.fixture
async def make(work: Work, health: UnitHealthReporter) -> AsyncIterator[MakeUnit]:
    """Makes units, and ends them after the test."""
    units: list[Unit[str]] = []

    def make_unit(policy: BackoffPolicy = QUICK, stop_limit_s: float = 3.0, replace: Any = None) -> Unit[str]:
        units.append(Unit(work.run, "a", health, Backoff(policy), stop_limit_s, replace))
        return units[-1]

    yield make_unit
    for unit in units:
        unit.stop()
    if work.release is not None:
        work.release.set()
    await asyncio.wait([unit.task for unit in units])


async def test_a_unit_runs_until_it_is_stopped(make: MakeUnit, work: Work, health: UnitHealthReporter) -> None:
    """Work begins at once and is cancelled when the unit stops."""
    unit = make()
    await work.until(lambda: bool(work.began))
    unit.stop()
    await unit.task
    assert (work.began, work.ended) == (["a"], ["a"])
    assert health.current_state == "stopped"


async def test_a_change_waits_for_the_end_of_the_work_before_it(make: MakeUnit, work: Work) -> None:
    """The next run starts only after the previous one has cleaned up: never two at once."""
    work.release = asyncio.Event()
    unit = make()
    await work.until(lambda: work.began == ["a"])
    unit.want("b")
    unit.want("c")
    await asyncio.sleep(0)
    assert work.began == ["a"]
    work.release.set()
    await work.until(lambda: work.began == ["a", "c"])
    assert work.most_alive == 1


async def test_work_may_go_on_with_a_change(make: MakeUnit, work: Work) -> None:
    """It is asked to, also after more than one change; what it cannot go on with starts it anew."""
    asked: asyncio.Queue[str] = asyncio.Queue()

    async def replace(_key: str, config: str) -> bool:
        asked.put_nowait(config)
        return config != "d"

    unit = make(replace=replace)
    await work.until(lambda: work.began == ["a"])
    for config in ("b", "c", "d"):
        unit.want(config)
        assert await asyncio.wait_for(asked.get(), 60) == config
    await work.until(lambda: work.began == ["a", "d"])
    assert work.ended == ["a"]


@pytest.mark.parametrize("change", ["config", "stop", "failure"])
async def test_a_take_over_that_takes_long_is_broken_off(make: MakeUnit, work: Work, change: str) -> None:
    """By another change, a stop, or the work's own end: then it is decided anew."""
    asked: asyncio.Queue[str] = asyncio.Queue()

    async def replace(_key: str, config: str) -> bool:
        asked.put_nowait(config)
        if config == "b":
            await asyncio.Event().wait()
        return False

    unit = make(replace=replace)
    await work.until(lambda: work.began == ["a"])
    unit.want("b")
    assert await asyncio.wait_for(asked.get(), 60) == "b"
    if change == "stop":
        unit.stop()
        await asyncio.wait_for(unit.task, 60)
        assert (work.began, work.ended) == (["a"], ["a"])
    elif change == "config":
        unit.want("c")
        await work.until(lambda: work.began == ["a", "c"])
    else:
        work.fail.set()
        await work.until(lambda: work.began == ["a", "b"])
    assert work.most_alive == 1


async def test_work_that_does_not_end_is_left_behind(make: MakeUnit, work: Work, health: UnitHealthReporter) -> None:
    """If a clean-up takes too long, the next run starts nevertheless, and the heartbeat's errors say so."""
    work.release = asyncio.Event()
    unit = make(stop_limit_s=0.01)
    await work.until(lambda: work.began == ["a"])
    unit.want("b")
    await work.until(lambda: work.began == ["a", "b"])
    assert health.report().counters["errors"] == 1
    work.release.set()
    await work.until(lambda: "a" in work.ended)


async def test_failed_work_is_tried_again(make: MakeUnit, work: Work, health: UnitHealthReporter) -> None:
    """A unit that raises runs again, and its failures are counted."""
    work.failures = [OSError("no route"), SystemExit(3)]
    make()
    await work.until(lambda: work.began == ["a", "a", "a"])
    assert health.current_state == "live"
    assert health.report().counters == {"failures": 2, "errors": 2}


async def test_a_failed_unit_shows_its_cause(make: MakeUnit, work: Work, health: UnitHealthReporter) -> None:
    """Until it is started again, its state is `failed`, with the cause."""
    work.failures = [OSError("no route")]
    make(NEVER)
    await work.until(lambda: work.ended == ["a"])
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    report = health.report()
    assert (report.state, report.detail) == ("failed", "OSError: no route")


class Limited(MillraceError):
    """A failure after which somebody asked for a pause."""

    retry_after_ms = 300


async def test_a_unit_is_not_started_before_the_pause_that_was_asked_for(make: MakeUnit, work: Work) -> None:
    """A unit that an exchange refused for a while is left alone for that long, however short its own pauses are."""
    work.failures = [Limited("too many requests")]
    began_s = asyncio.get_running_loop().time()
    make()
    await work.until(lambda: work.began == ["a", "a"])
    assert asyncio.get_running_loop().time() - began_s >= Limited.retry_after_ms / 1000


async def test_a_change_ends_the_pause_after_a_failure(make: MakeUnit, work: Work) -> None:
    """A corrected configuration starts the unit at once."""
    work.failures = [OSError("wrong key")]
    unit = make(NEVER)
    await work.until(lambda: work.ended == ["a"])
    unit.want("b")
    await work.until(lambda: work.began == ["a", "b"])


async def test_a_lasting_cause_is_logged_once(make: MakeUnit, work: Work) -> None:
    """The same failure again and again is one line; another failure is a line of its own."""
    work.failures = [OSError("no route") for _ in range(5)] + [MillraceError("refused")]
    with capture_logs() as lines:
        make()
        await work.until(lambda: len(work.began) == 7)
    errors = [line for line in lines if line["log_level"] == "error"]
    assert [line["cause"] for line in errors] == ["OSError: no route", "MillraceError: refused"]
    assert isinstance(errors[0]["exc_info"], OSError)
    assert errors[1]["exc_info"] is None


async def test_a_unit_that_lives_on_is_said_to_work_again(make: MakeUnit, work: Work) -> None:
    """After a healthy run the failures are forgotten, and the log says that the unit recovered."""
    work.failures = [OSError("no route")]
    with capture_logs() as lines:
        unit = make()
        await work.until(lambda: len(work.began) == 2)
        for _ in range(500):
            if lines[-1]["event"] == "unit recovered":
                break
            await asyncio.sleep(QUICK.healthy_after_s)
    assert lines[-1]["event"] == "unit recovered"
    assert not unit.task.done()


async def test_work_that_returns_is_a_failure(health: UnitHealthReporter) -> None:
    """Work that returns is started again: it should run until it is cancelled."""
    runs = asyncio.Semaphore(0)

    async def returns(*_: object) -> None:
        runs.release()

    unit = Unit(returns, "a", health, Backoff(QUICK))
    async with asyncio.timeout(60):
        for _ in range(3):
            await runs.acquire()
        unit.stop()
        await unit.task
    assert health.report().counters["failures"] >= 2


async def test_work_that_raises_before_it_begins_is_a_failure(health: UnitHealthReporter) -> None:
    """A `run` that raises instead of returning a coroutine fails its unit too, and is started again."""
    runs = asyncio.Semaphore(0)

    def raises(*_: object) -> Awaitable[None]:
        runs.release()
        raise LookupError("no such unit")

    unit = Unit(raises, "a", health, Backoff(QUICK))
    async with asyncio.timeout(60):
        for _ in range(2):
            await runs.acquire()
        unit.stop()
        await unit.task
    assert health.report().counters["failures"] >= 1


async def test_a_unit_wanted_again_while_it_stops_goes_on(make: MakeUnit, work: Work) -> None:
    """Wanting a unit again before it has stopped starts its work with the newest configuration."""
    work.release = asyncio.Event()
    unit = make()
    await work.until(lambda: work.began == ["a"])
    unit.stop()
    await asyncio.sleep(0)
    unit.want("b")
    work.release.set()
    await work.until(lambda: work.began == ["a", "b"])
    assert not unit.task.done()
