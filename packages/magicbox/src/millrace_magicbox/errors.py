"""The errors that keep a strategy from running.

MillraceError
├── ConfigInvalid    problems     (core) its configuration has mistakes
├── PluginNotFound   name         no installed plugin and no class in the plugin folder has this name
├── PluginAmbiguous  name         several files of the plugin folder hold a class of this name
└── PluginBroken     name         it was found, but cannot be imported or is not a strategy
"""

from pathlib import Path

from millrace_core.errors import MillraceError


class PluginNotFound(MillraceError):
    """No installed plugin and no class in the plugin folder has this name."""

    def __init__(self, name: str, folder: Path | None, unreadable: list[str]) -> None:
        place = f"the plugin folder {folder}" if folder else "a plugin folder (none is set: MILLRACE_PLUGIN_DIR)"
        text = f"no strategy named {name}: neither an installed plugin nor a class in {place}"
        super().__init__("; ".join([text, *unreadable]))
        self.name = name


class PluginAmbiguous(MillraceError):
    """Several files of the plugin folder hold a class of this name."""

    def __init__(self, name: str, files: list[Path]) -> None:
        super().__init__(f"several files hold a class {name}: {', '.join(map(str, files))}; rename all but one")
        self.name = name


class PluginBroken(MillraceError):
    """A plugin was found, but cannot be imported or is not a strategy."""

    def __init__(self, name: str, where: str, why: str) -> None:
        super().__init__(f"strategy {name} of {where} {why}")
        self.name = name
