"""The units of an agent, in its own process or in workers, as the configuration says."""

from collections.abc import Callable, Sequence
from typing import Any

from millrace_core.config.workers import Workers
from millrace_core.heartbeat import WorkerHealth
from millrace_service.configuration import Plan
from millrace_service.health import UnitReporter
from millrace_service.supervisor import Changes, Supervisor, diff
from millrace_service.workers.pool import WorkerPool
from millrace_service.workers.watched_worker import AgentParts


class AgentUnits:
    """Starts, restarts and stops units where they belong.

    Without `parts` there are no workers, and all units run in this process.

    When `workers` changes, all units end before they start in their new place: a unit never runs twice.
    """

    def __init__(self, make_supervisor: Callable[[], Supervisor[Any]], parts: AgentParts | None) -> None:
        self._make_supervisor = make_supervisor
        self._parts = parts
        self._place: Supervisor[Any] | WorkerPool = make_supervisor()
        self._workers: Workers = 0
        self._plan: Plan | None = None

    async def want(self, plan: Plan) -> Changes:
        """Run exactly the units of a plan from now on; return what changes.

        Returns at once, unless `workers` has changed: then once all units have ended.
        """
        before, self._plan = self._plan, plan
        workers = plan.workers if self._parts is not None else 0
        if workers != self._workers:
            await self._place.stop()
            self._workers = workers
            self._place = self._make_place(plan)
        if isinstance(self._place, WorkerPool):
            self._place.want(plan.units, plan.worker_limits, plan.secrets)
        else:
            self._place.want(plan.units)
        return diff(before.units if before else {}, plan.units)

    def starting(self, plan: Plan) -> dict[str, Any]:
        """Return the units that a plan would start or restart."""
        if self._plan is None or plan.workers != self._plan.workers:
            return dict(plan.units)
        changes = diff(self._plan.units, plan.units)
        return {key: unit for key, unit in plan.units.items() if key in changes.start | changes.restart}

    def restart(self, unit: str) -> bool:
        """Run a unit afresh, also one that was stopped for good; return False if there is none of this name."""
        return self._place.restart(unit)

    async def stop(self) -> None:
        """End all units at the same time."""
        await self._place.stop()

    def reporters(self) -> Sequence[UnitReporter]:
        """Return the reporters of all units, by name."""
        return self._place.reporters()

    def workers(self) -> list[WorkerHealth]:
        """Return the health of the workers; an empty list if there are none."""
        return self._place.workers() if isinstance(self._place, WorkerPool) else []

    def _make_place(self, plan: Plan) -> Supervisor[Any] | WorkerPool:
        if plan.workers == 0 or self._parts is None:
            return self._make_supervisor()
        return WorkerPool(plan.workers, plan.worker_limits, self._parts)
