"""All units of an agent."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace_core.backoff import BackoffPolicy
from millrace_service.health import ErrorLog, UnitHealthReporter
from millrace_service.supervisor import Supervisor, diff


class Fleet:
    """Units of a test; remembers every run that began, and what runs now."""

    def __init__(self) -> None:
        self.runs: list[tuple[str, int]] = []
        self.running: dict[str, int] = {}
        self.slow: asyncio.Event | None = None
        self._event = asyncio.Event()

    async def run(self, key: str, config: int, health: UnitHealthReporter) -> None:
        """Run until cancelled."""
        assert key not in self.running, "two runs of one unit at once"
        self.runs.append((key, config))
        self.running[key] = config
        self._event.set()
        try:
            await asyncio.Event().wait()
        finally:
            if self.slow is not None:
                await self.slow.wait()
            del self.running[key]
            self._event.set()

    async def reaches(self, wanted: dict[str, int]) -> None:
        """Wait until exactly these units run."""
        await self.until(lambda: self.running == wanted)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds that changes when a run begins or ends."""
        async with asyncio.timeout(60):
            while not condition():
                self._event.clear()
                await self._event.wait()


@pytest.fixture
def fleet() -> Fleet:
    """The work of all units."""
    return Fleet()


@pytest.fixture
async def supervisor(fleet: Fleet) -> AsyncIterator[Supervisor[int]]:
    """The supervisor of the fleet; ended after the test."""
    supervisor = Supervisor(fleet.run, changed=lambda: None, errors=ErrorLog())
    yield supervisor
    if fleet.slow is not None:
        fleet.slow.set()
    await supervisor.stop()


async def test_only_what_changed_is_restarted(fleet: Fleet, supervisor: Supervisor[int]) -> None:
    """A unit with an equal configuration keeps running through a change of others."""
    supervisor.want({"a": 1, "b": 1, "c": 1})
    await fleet.reaches({"a": 1, "b": 1, "c": 1})
    supervisor.want({"a": 1, "b": 2, "d": 1})
    await fleet.reaches({"a": 1, "b": 2, "d": 1})
    assert sorted(fleet.runs) == [("a", 1), ("b", 1), ("b", 2), ("c", 1), ("d", 1)]


async def test_units_stop_at_the_same_time(fleet: Fleet, supervisor: Supervisor[int]) -> None:
    """Ending many slow units takes as long as ending one, and starting others does not wait for it."""
    fleet.slow = asyncio.Event()
    supervisor.want({str(number): 1 for number in range(50)})
    await fleet.reaches({str(number): 1 for number in range(50)})
    supervisor.want({"new": 1})
    await fleet.until(lambda: "new" in fleet.running)
    assert len(fleet.running) == 51
    fleet.slow.set()
    await fleet.reaches({"new": 1})


async def test_the_reporters_are_those_of_the_units_that_exist(fleet: Fleet, supervisor: Supervisor[int]) -> None:
    """A unit that ended leaves the heartbeat; one that ends is still in it."""
    supervisor.want({"b": 1, "a": 1})
    await fleet.reaches({"a": 1, "b": 1})
    assert [reporter.name for reporter in supervisor.reporters()] == ["a", "b"]
    await supervisor.stop()
    await asyncio.sleep(0)
    assert supervisor.reporters() == []


async def test_counters_survive_a_restart(fleet: Fleet, supervisor: Supervisor[int]) -> None:
    """A changed configuration restarts the unit, and its running totals go on."""
    supervisor.want({"a": 1})
    await fleet.reaches({"a": 1})
    supervisor.reporters()[0].count("messages", 7)
    supervisor.want({"a": 2})
    await fleet.reaches({"a": 2})
    assert supervisor.reporters()[0].report().counters == {"messages": 7}


class Unspeakable(Exception):
    """An error of foreign code whose text cannot be read."""

    def __str__(self) -> str:
        raise ValueError("no text")


async def test_a_unit_whose_supervision_fails_is_started_again(fleet: Fleet) -> None:
    """Even an error that cannot be described ends no unit for good: it shows as failed, and is started again."""
    failures = [Unspeakable(), Unspeakable()]

    async def run(key: str, config: int, health: UnitHealthReporter) -> None:
        if failures:
            raise failures.pop()
        await fleet.run(key, config, health)

    states: set[str] = set()
    policy = BackoffPolicy(first_s=0.001)

    def note() -> None:
        states.update(reporter.current_state for reporter in supervisor.reporters())

    supervisor = Supervisor(run, changed=note, errors=ErrorLog(), policy=policy)
    supervisor.want({"a": 1})
    await fleet.reaches({"a": 1})
    await supervisor.stop()
    assert "failed" in states
    assert fleet.running == {}


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2)), st.integers(0, 3)), max_size=8))
def test_whatever_was_asked_in_between_the_last_wish_holds(wishes: list[tuple[dict[str, int], int]]) -> None:
    """Overlapping changes end with the last wanted units, and no unit ever runs twice at once."""

    async def scenario() -> None:
        fleet = Fleet()
        supervisor = Supervisor(fleet.run, changed=lambda: None, errors=ErrorLog())
        wanted: dict[str, int] = {}
        for wanted, turns in wishes:
            supervisor.want(wanted)
            for _ in range(turns):
                await asyncio.sleep(0)
        await fleet.reaches(wanted)
        await supervisor.stop()
        assert fleet.running == {}

    asyncio.run(scenario())


UNITS = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 3))


@given(UNITS, UNITS)
def test_carrying_the_changes_out_leads_to_exactly_the_wanted_units(
    running: dict[str, int], wanted: dict[str, int]
) -> None:
    """Stopping, restarting and starting what the diff names turns the running units into the wanted ones."""
    changes = diff(running, wanted)
    after = {key: config for key, config in running.items() if key not in changes.stop}
    after |= {key: wanted[key] for key in changes.start | changes.restart}
    assert after == wanted


@given(UNITS, UNITS)
def test_an_equal_unit_is_never_touched(running: dict[str, int], wanted: dict[str, int]) -> None:
    """A unit whose configuration is the same before and after appears in no change, and no unit in two."""
    changes = diff(running, wanted)
    touched = [*changes.start, *changes.stop, *changes.restart]
    assert len(touched) == len(set(touched))
    assert not set(touched) & {key for key in running if running[key] == wanted.get(key)}


@given(UNITS)
def test_the_same_units_are_no_change(units: dict[str, int]) -> None:
    """Asking for what runs already changes nothing."""
    assert not diff(units, dict(units))
