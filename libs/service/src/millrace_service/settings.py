"""What a process is told when it starts: by the environment and, above it, by the command line."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from millrace_core.names import AgentId

LogFormat = Literal["auto", "console", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]
DEFAULT_REDIS_URL = "redis://127.0.0.1:6379/0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one process; `read_settings` makes them."""

    agent_id: AgentId
    redis_url: str = field(default=DEFAULT_REDIS_URL, repr=False)
    log_level: LogLevel = "info"
    log_format: LogFormat = "auto"
    secret_key: bytes | None = field(default=None, repr=False)
    """32 bytes that decrypt `enc:…` texts; None when nobody gave them."""
    data_dir: Path = Path(".millrace")
    """Where a service may keep files."""
    die_with_parent: bool = False
