"""The API's configuration: limits, each with a default that applies while there is no configuration."""

from pydantic import Field

from millrace_core.config.common import BaseConfig


class ApiConfig(BaseConfig):
    """Configuration of an API."""

    requests_per_second: float = Field(default=50.0, ge=0.01, le=1_000_000)
    """Sustained rate for each token."""
    burst: int = Field(default=200, ge=1, le=1_000_000)
    """Requests of one token that may come at once."""
    failures_per_minute: float = Field(default=120.0, ge=0.01, le=1_000_000)
    """Requests without a valid token for each address; further ones get 429 and are not audited."""
    failures_burst: int = Field(default=300, ge=1, le=1_000_000)
    answer_timeout_ms: int = Field(default=5_000, ge=0, le=60_000)
    """How long the API waits for the executor's answer before it responds with 202."""
    live_connections: int = Field(default=1_000, ge=1, le=100_000)
    """WebSockets and event streams, of all tenants together."""
    live_connections_per_token: int = Field(default=500, ge=1, le=100_000)
    allowed_origins: tuple[str, ...] = ()
    """Origins of web pages that may use a browser's session, in addition to the API's own."""
