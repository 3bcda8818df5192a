"""Starts, stops and restarts the units of an agent, as its configuration changes."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic

import structlog

from millrace_core.backoff import Backoff, BackoffPolicy
from millrace_service.health import ErrorLog, UnitHealthReporter
from millrace_service.unit import STOP_LIMIT_S, ReplaceUnit, RunUnit, Unit, UnitConfigT

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Changes:
    """The steps from one set of units to another. Units that none of them names are left alone."""

    start: frozenset[str]
    stop: frozenset[str]
    restart: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.start or self.stop or self.restart)


def diff(running: Mapping[str, Any], wanted: Mapping[str, Any]) -> Changes:
    """Return the steps from the running units to the wanted ones, compared by key and by configuration (`==`)."""
    both = running.keys() & wanted.keys()
    return Changes(
        start=frozenset(wanted.keys() - running.keys()),
        stop=frozenset(running.keys() - wanted.keys()),
        restart=frozenset(key for key in both if running[key] != wanted[key]),
    )


class Supervisor(Generic[UnitConfigT]):
    """Starts, restarts and stops units, all at the same time and independently of one another."""

    def __init__(
        self,
        run: RunUnit[UnitConfigT],
        *,
        changed: Callable[[], None],
        errors: ErrorLog,
        policy: BackoffPolicy | None = None,
        stop_limit_s: float = STOP_LIMIT_S,
        reporter: Callable[[str], UnitHealthReporter] | None = None,
        replace: ReplaceUnit[UnitConfigT] | None = None,
    ) -> None:
        self._run = run
        self._replace = replace
        self._changed = changed
        self._reporter = reporter or partial(UnitHealthReporter, changed=changed, errors=errors)
        self._policy = policy or BackoffPolicy()
        self._stop_limit_s = stop_limit_s
        self._units: dict[str, Unit[UnitConfigT]] = {}

    def want(self, wanted: Mapping[str, UnitConfigT]) -> Changes:
        """Ask for exactly these units, and return at once what will change. May be called during earlier changes."""
        running = {key: unit.config for key, unit in self._units.items() if not unit.stopping}
        changes = diff(running, wanted)
        for key in changes.stop:
            self._stop(key)
        for key in changes.start | changes.restart:
            self._start(key, wanted[key])
        self._changed()
        return changes

    def restart(self, key: str) -> bool:
        """Run a unit afresh, also one that waits after a failure; return False if there is none of this name."""
        unit = self._units.get(key)
        if unit is None or unit.stopping:
            return False
        unit.want(unit.config)
        return True

    async def stop(self) -> None:
        """End all units at the same time; return when each has ended or has used up its time to end."""
        self.want({})
        if tasks := [unit.task for unit in self._units.values()]:
            await asyncio.wait(tasks)

    def reporters(self) -> list[UnitHealthReporter]:
        """Return the reporters of all units that have not ended, by name."""
        return [self._units[key].health for key in sorted(self._units)]

    def _start(self, key: str, config: UnitConfigT) -> None:
        unit = self._units.get(key)
        if unit is not None and not unit.task.done():
            unit.want(config)
            return
        unit = Unit(self._run, config, self._reporter(key), Backoff(self._policy), self._stop_limit_s, self._replace)
        self._units[key] = unit
        unit.task.add_done_callback(partial(self._ended, key, unit))

    def _stop(self, key: str) -> None:
        unit = self._units[key]
        unit.stop()
        if unit.task.done():
            del self._units[key]

    def _ended(self, key: str, unit: Unit[UnitConfigT], task: "asyncio.Task[None]") -> None:
        if self._units.get(key) is not unit:
            return
        if unit.stopping:
            del self._units[key]
            self._changed()
            return
        # The unit's own loop failed, as by an error whose text cannot be read: that must not end the work silently.
        unit.health.state("failed", "its supervision failed; restarting")
        asyncio.get_running_loop().call_later(self._policy.first_s, self._revive, key, unit)
        error = None if task.cancelled() else task.exception()
        log.error("supervision of a unit failed; restarting", unit=key, exc_info=error)

    def _revive(self, key: str, unit: Unit[UnitConfigT]) -> None:
        if self._units.get(key) is unit:
            self._start(key, unit.config)
