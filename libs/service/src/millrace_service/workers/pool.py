"""The workers of an agent, and which of them runs which unit."""

from collections.abc import Mapping, Sequence
from typing import Any

from millrace_core.config.workers import Workers
from millrace_core.heartbeat import WorkerHealth
from millrace_service.agent import UnitLimits
from millrace_service.health import ErrorLog, UnitHealthReporter
from millrace_service.supervisor import Supervisor
from millrace_service.workers.placement import place
from millrace_service.workers.remote_unit import RemoteUnit
from millrace_service.workers.watched_worker import END_LIMIT_S, RETRIES, AgentParts, WatchedWorker


class WorkerPool:
    """Runs units in workers: in so many that the units share, or one for each unit."""

    def __init__(self, workers: Workers, limits: UnitLimits, parts: AgentParts) -> None:
        self._number = workers
        self._limits = limits
        self._parts = parts
        self._workers: dict[str, WatchedWorker] = {}
        self._placed: dict[str, str] = {}
        # A worker is kept running as a unit is; its own health is not one of the agent's units.
        self._supervisor: Supervisor[str] = Supervisor(
            self._run, changed=parts.changed, errors=ErrorLog(), policy=RETRIES, stop_limit_s=END_LIMIT_S + 1.0
        )

    def want(self, units: Mapping[str, Any], limits: UnitLimits, secrets: tuple[str, ...]) -> None:
        """Run exactly these units from now on."""
        self._limits = limits
        self._placed = self._place(units)
        for name in sorted(set(self._placed.values())):
            ours = {unit: units[unit] for unit, worker in self._placed.items() if worker == name}
            worker = self._workers.get(name)
            if worker is None:
                worker = self._workers[name] = WatchedWorker(name, self._parts, limits)
            if worker.want(ours, self._limits_of(ours), secrets):
                self._hurry(worker)
        self._workers = {name: self._workers[name] for name in sorted(set(self._placed.values()))}
        self._supervisor.want({f"worker {name}": name for name in self._workers})

    def restart(self, unit: str) -> bool:
        """Run a unit afresh; return False if there is none of this name."""
        if unit not in self._placed:
            return False
        worker = self._workers[self._placed[unit]]
        worker.restart(unit)
        self._hurry(worker)
        return True

    async def stop(self) -> None:
        """End all workers at the same time."""
        await self._supervisor.stop()

    def reporters(self) -> Sequence[RemoteUnit]:
        """Return what is known of the units, by name."""
        units = {name: unit for worker in self._workers.values() for name, unit in worker.units.items()}
        return [units[name] for name in sorted(units)]

    def workers(self) -> list[WorkerHealth]:
        """Return the health of the workers."""
        return [worker.health() for worker in self._workers.values()]

    def _hurry(self, worker: WatchedWorker) -> None:
        """Start a worker at once that makes a pause after a failure: what it is to run now may be mended."""
        if worker.has_failed:
            self._supervisor.restart(f"worker {worker.name}")

    def _place(self, units: Mapping[str, Any]) -> dict[str, str]:
        groups = {unit: self._parts.agent.together(unit, config) for unit, config in units.items()}
        if self._number == "each":
            return groups
        names = [str(number + 1) for number in range(self._number)]
        return place(groups, self._placed, names, {name: each.cpu_percent for name, each in self._workers.items()})

    def _limits_of(self, units: Mapping[str, Any]) -> UnitLimits:
        if self._number != "each" or len(units) > 1:
            return self._limits
        ((_, config),) = units.items()
        return self._parts.agent.limits(config) or self._limits

    async def _run(self, _key: str, name: str, health: UnitHealthReporter) -> None:
        health.state("live")
        await self._workers[name].run()
