"""Publishes the strategies that this magicbox can run, with the schemas of their configurations.

See docs/protocol.md, "Plugins".
"""

import asyncio
import time
from pathlib import Path
from typing import NoReturn

from millrace_bus import Bus
from millrace_core.names import AgentId
from millrace_core.plugins import PLUGINS_INTERVAL_S, PluginDescription
from millrace_magicbox.plugin_checks import describe_plugins

LOOK_EVERY_S = 1.0
"""How often the plugin folder is looked at for changes."""


async def publish_plugins(bus: Bus, agent_id: AgentId, folder: Path | None) -> NoReturn:
    """Publish the strategies every 5 s, and as soon as a file of the plugin folder has changed, until cancelled."""
    plugins: list[PluginDescription] = []
    present: object = None
    due_s = 0.0
    while True:
        if (newest := _files(folder)) != present:
            plugins = await describe_plugins(folder)
            present, due_s = newest, 0.0
        if time.monotonic() >= due_s:
            await bus.publish_plugins(agent_id, plugins)
            due_s = time.monotonic() + PLUGINS_INTERVAL_S
        await asyncio.sleep(LOOK_EVERY_S)


def _files(folder: Path | None) -> list[tuple[str, int, int]]:
    """Return what changes when a file is added, removed or saved."""
    found = []
    for path in sorted(folder.glob("*.py")) if folder else ():
        try:
            state = path.stat()
        except FileNotFoundError:
            continue
        found.append((path.name, state.st_mtime_ns, state.st_size))
    return found
