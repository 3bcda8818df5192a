"""In how many processes an agent's units run, and what such a process may use."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from millrace_core.config.common import BaseConfig, ConfigModel

MOST_WORKERS = 64


def _number_or_each(value: Any) -> Any:
    if value == "each" or (type(value) is int and 0 <= value <= MOST_WORKERS):
        return value
    raise ValueError(f'must be a number from 0 to {MOST_WORKERS}, or "each"')


Workers = Annotated[
    Annotated[int, Field(ge=0, le=MOST_WORKERS)] | Literal["each"],
    BeforeValidator(_number_or_each),
]
"""0: the agent's own process. A number: so many worker processes, which the units share. `each`: one for each unit."""


class WorkerLimits(ConfigModel):
    """What a worker process may use; one that goes beyond is replaced."""

    memory_mb: float = Field(default=2_000.0, ge=64, le=1_000_000)
    """Resident memory."""
    stall_seconds: float = Field(default=5.0, ge=2, le=600)
    """How long its event loop may stand still."""


class WorkersConfig(BaseConfig):
    """The configuration of an agent whose units may run in worker processes."""

    workers: Workers = 0
    """0 for the agent's own process, a number of processes that the units share, or `each` for one a unit."""
    worker_limits: WorkerLimits = WorkerLimits()
    """What such a process may use."""
