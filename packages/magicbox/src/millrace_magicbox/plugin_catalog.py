"""Publishes the strategies that this magicbox can run, with the schemas of their configurations.

See docs/protocol.md, "Plugins".
"""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from msgspec.structs import replace

from millrace_bus import Bus
from millrace_core.names import AgentId
from millrace_core.plugins import PLUGINS_INTERVAL_S, PluginDescription
from millrace_magicbox.plugin_checks import describe_plugins
from millrace_service.redaction import clean_text
from millrace_service.tasks import run_all

LOOK_EVERY_S = 1.0
"""How often the plugin folder is looked at for changes."""


async def publish_plugins(bus: Bus, agent_id: AgentId, folder: Path | None) -> None:
    """Publish the strategies every 5 s, and as soon as a file of the plugin folder has changed, until cancelled."""
    catalog = _Catalog(folder)
    await run_all(catalog.follow(), catalog.publish(bus, agent_id))


class _Catalog:
    """The strategies of a plugin folder, as they were when they were last loaded."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._plugins: list[PluginDescription] = []
        self._changed = asyncio.Event()

    async def follow(self) -> NoReturn:
        """Load the strategies whenever a file has changed."""
        present: object = None
        while True:
            if (newest := _files(self._folder)) != present:
                self._plugins = await describe_plugins(self._folder)
                present = newest
                self._changed.set()
            await asyncio.sleep(LOOK_EVERY_S)

    async def publish(self, bus: Bus, agent_id: AgentId) -> NoReturn:
        """Publish them while others are loaded too, which may take longer than what was published lasts."""
        await self._changed.wait()
        while True:
            self._changed.clear()
            await bus.publish_plugins(agent_id, [*map(_cleaned, self._plugins)])
            with suppress(TimeoutError):
                async with asyncio.timeout(PLUGINS_INTERVAL_S):
                    await self._changed.wait()


def _cleaned(plugin: PluginDescription) -> PluginDescription:
    # Why it cannot be loaded is said by its own code, which may print what it finds in the environment.
    return replace(plugin, error=plugin.error and clean_text(plugin.error))


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
