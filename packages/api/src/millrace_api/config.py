"""The API's configuration: limits, all of which have a default, so that it serves without one too."""

from pydantic import Field

from millrace_core.config.common import BaseConfig


class ApiConfig(BaseConfig):
    """The whole configuration of an API."""

    requests_per_second: float = Field(default=50.0, ge=0.01, le=1_000_000)
    """For each token, steadily."""
    burst: int = Field(default=200, ge=1, le=1_000_000)
    """For each token, at once."""
    failures_per_minute: float = Field(default=120.0, ge=0.01, le=1_000_000)
    """Requests of one address without a good token; further ones are turned away unrecorded."""
    failures_burst: int = Field(default=300, ge=1, le=1_000_000)
    answer_timeout_ms: int = Field(default=5_000, ge=0, le=60_000)
    """How long an order's answer is awaited before the API says 202."""
    live_connections: int = Field(default=1_000, ge=1, le=100_000)
    """WebSockets and event streams, of all tenants together."""
    live_connections_per_token: int = Field(default=500, ge=1, le=100_000)
    allowed_origins: tuple[str, ...] = ()
    """Origins of web pages that may act for a browser's session, beside the API's own."""
