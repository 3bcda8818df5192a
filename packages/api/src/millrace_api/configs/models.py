"""The model of a configuration, by its agent's kind."""

from pydantic import Field

from millrace_core.config import (
    AlertsConfig,
    DbsyncConfig,
    ExecutorConfig,
    GathererConfig,
    MagicboxConfig,
    parse_config,
)
from millrace_core.config.common import BaseConfig
from millrace_core.errors import ConfigInvalid, Problem
from millrace_core.names import AgentId


class ApiConfig(BaseConfig):
    """Configuration of an API."""

    requests_per_second: float = Field(default=50.0, ge=0.01, le=1_000_000)
    """Sustained rate for each token."""
    burst: int = Field(default=200, ge=1, le=1_000_000)
    """Requests of one token that may come at once."""
    failures_per_minute: float = Field(default=120.0, ge=0.01, le=1_000_000)
    """Requests without a valid token for each address; further ones get 429 and are not audited."""
    failures_burst: int = Field(default=300, ge=1, le=1_000_000)
    """Such requests that may come at once."""
    answer_timeout_ms: int = Field(default=5_000, ge=0, le=60_000)
    """How long the API waits for the executor's answer before it responds with 202."""
    live_connections: int = Field(default=1_000, ge=1, le=100_000)
    """WebSockets and event streams, of all tenants together."""
    live_connections_per_token: int = Field(default=500, ge=1, le=100_000)
    """The same for one token."""
    allowed_origins: tuple[str, ...] = ()
    """Origins of web pages that may use a browser's session, in addition to the API's own."""


MODELS: dict[str, type[BaseConfig]] = {
    "gatherer": GathererConfig,
    "magicbox": MagicboxConfig,
    "executor": ExecutorConfig,
    "dbsync": DbsyncConfig,
    "api": ApiConfig,
    "alerts": AlertsConfig,
}


def mistakes(kind: str, agent: AgentId, text: bytes) -> tuple[Problem, ...]:
    """Return every mistake in the form of a configuration; the agent itself checks the rest."""
    try:
        config = parse_config(MODELS[kind], text)
    except ConfigInvalid as error:
        return error.problems
    if config.agent.id != agent:
        return (Problem("$.agent.id", f"is {config.agent.id}, but this is the configuration of {agent}"),)
    return ()
