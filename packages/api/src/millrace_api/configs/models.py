"""The model of a configuration, by its agent's kind."""

from typing import Annotated

from pydantic import Field, PlainSerializer

from millrace_api.configs.addresses import Network
from millrace_core.config import (
    AlertsConfig,
    DbsyncConfig,
    ExecutorConfig,
    GathererConfig,
    MagicboxConfig,
    parse_config,
)
from millrace_core.config.common import BaseConfig, ConfigModel
from millrace_core.errors import ConfigInvalid, Problem
from millrace_core.names import AgentId


class TenantLimits(ConfigModel):
    """What all tokens of one tenant may do together."""

    requests_per_second: float = Field(default=200.0, ge=0.01, le=1_000_000)
    """Sustained rate of requests."""
    burst: int = Field(default=800, ge=1, le=1_000_000)
    """Requests that may come at once."""
    questions: int = Field(default=200, ge=1, le=100_000)
    """Questions that may be open at a time; two are answered at once, and the others wait for their turn."""
    rows_per_minute: int = Field(default=6_000_000, ge=1_000, le=1_000_000_000_000)
    """Rows that may be read for answers and exports, and bytes of configurations; what is more delays the next one."""
    exports: int = Field(default=2, ge=1, le=1_000)
    """Exports at a time."""
    event_streams: int = Field(default=100, ge=1, le=100_000)
    """Streams of server-sent events at a time."""
    web_sockets: int = Field(default=500, ge=1, le=100_000)
    """WebSockets at a time."""
    subscriptions: int = Field(default=5_000, ge=1, le=1_000_000)
    """Streams followed at a time, over all WebSockets."""
    streams: int = Field(default=5_000, ge=1, le=100_000)
    """Streams of a gatherer's configuration that the tenant itself puts; a pattern counts as its `maxSymbols`."""
    strategies: int = Field(default=20, ge=1, le=10_000)
    """Strategies of a magicbox's configuration that the tenant itself puts; each has a process."""
    commands_per_second: int = Field(default=500, ge=1, le=1_000_000)
    """Commands and pings over all WebSockets, and how many may come at once; what is more waits for its turn."""

    tokens: int = Field(default=500, ge=1, le=100_000)
    """Tokens in force that the tenant's admins, or an operator, may create."""
    audit_rows: int = Field(default=1_000_000, ge=1_000, le=1_000_000_000)
    """Rows of the tenant's audit trail; the oldest beyond are deleted, every hour."""


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
    tenant_limits: TenantLimits = TenantLimits()
    """What one tenant may do, whatever the number of its tokens."""
    tenant_networks: tuple[Annotated[Network, PlainSerializer(str)], ...] = ()
    """Private networks, such as `10.0.5.0/24`, to which `urls` in a tenant's own configuration may lead."""
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
