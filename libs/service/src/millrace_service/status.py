"""The state of an agent as a whole: its configuration in force, and the mistakes in the newest one."""

import os
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version

from millrace_core.clock import now_ms
from millrace_core.errors import Problem
from millrace_core.heartbeat import AgentState, Heartbeat, ProblemReport, UnitHealth, WorkerHealth
from millrace_core.latency import Histogram
from millrace_core.names import AgentId
from millrace_service.health import ErrorLog, summaries
from millrace_service.redaction import clean_text


class AgentStatus:
    """The agent's part of its heartbeat; each change has it sent at once."""

    def __init__(self, kind: str, agent_id: AgentId, errors: ErrorLog, changed: Callable[[], None]) -> None:
        self._kind = kind
        self.agent_id = agent_id
        self._errors = errors
        self._changed = changed
        self.started_at = now_ms()
        """ms"""
        self._version = version("millrace-service")
        self._state: AgentState = "starting"
        self._revision: str | None = None
        self._config_errors: list[ProblemReport] = []
        self._warnings: list[str] = []

    @property
    def revision(self) -> str | None:
        """The digest of the configuration in force; None before the first one."""
        return self._revision

    def waits_for_config(self) -> None:
        """Report that there has been no configuration yet."""
        self._state = "waiting"
        self._changed()

    def in_force(self, revision: str, warnings: Sequence[str], *, stopped: bool) -> None:
        """Report which configuration is in force; earlier mistakes are cleared."""
        self._state = "stopped" if stopped else "running"
        self._revision = revision
        self._warnings = [*map(clean_text, warnings)]
        self._config_errors = []
        self._changed()

    def refused(self, problems: Iterable[Problem]) -> None:
        """Report the mistakes in the newest configuration; the previous one stays in force."""
        self._config_errors = [ProblemReport(clean_text(path), clean_text(message)) for path, message in problems]
        if self._revision is None:
            self._state = "waiting"
        self._changed()

    def heartbeat(
        self, units: list[UnitHealth], workers: list[WorkerHealth], latencies: dict[str, Histogram]
    ) -> Heartbeat:
        """Return the whole heartbeat."""
        return Heartbeat(
            id=self.agent_id,
            kind=self._kind,
            state=self._state,
            pid=os.getpid(),
            started_at=self.started_at,
            sent_at=now_ms(),
            version=self._version,
            config_revision=self._revision,
            config_errors=self._config_errors,
            warnings=self._warnings,
            units=units,
            workers=workers,
            last_errors=self._errors.reports(),
            latencies=summaries(latencies),
        )
