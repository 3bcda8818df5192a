"""The strategies that a magicbox can run, as it publishes them at `plugins.{agent_id}`."""

from typing import Any

import msgspec

PLUGINS_TTL_S = 15
"""As long as a heartbeat's: of a magicbox that does not run, nothing is known."""
PLUGINS_INTERVAL_S = 5


class PluginDescription(msgspec.Struct, frozen=True):
    """One strategy."""

    name: str
    """The `pluginName` of configurations."""
    description: str | None = None
    """The docstring of its class."""
    schema: dict[str, Any] | None = None
    """The JSON schema of its `configuration`; None if it cannot be loaded, or if none can be made."""
    error: str | None = None
    """Why it cannot be loaded; None if it can."""
