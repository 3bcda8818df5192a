"""A process's life: settings, supervisor, units of work, heartbeat, logging, secrets.

A micro-service derives an `Agent` and its `__main__.py` says `main(GathererAgent)`; everything else about the
process is done here. Log with structlog: `log = structlog.get_logger()`. Lines logged within a unit carry its name.
"""

from millrace_service.agent import Agent, UnitKey, UnitLimits
from millrace_service.encryption import decrypt, encrypt, new_key, parse_key
from millrace_service.errors import SecretUnreadable, SettingsInvalid, UnitEnded
from millrace_service.health import UnitHealthReporter
from millrace_service.process import main
from millrace_service.runner import run_agent
from millrace_service.settings import Settings

__all__ = [
    "Agent",
    "SecretUnreadable",
    "Settings",
    "SettingsInvalid",
    "UnitEnded",
    "UnitHealthReporter",
    "UnitKey",
    "UnitLimits",
    "decrypt",
    "encrypt",
    "main",
    "new_key",
    "parse_key",
    "run_agent",
]
