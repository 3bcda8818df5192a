"""Finds a strategy's class by its name: an installed plugin, or a class in a file of the plugin folder.

Files are parsed, not imported, to find the one with the class: a broken file affects only its own strategy. The file is
imported again each time, so a strategy that restarts runs its current text.

MillraceError
├── PluginNotFound   name    no installed plugin and no class in the plugin folder has this name
├── PluginAmbiguous  name    several files of the plugin folder hold a class of this name
└── PluginBroken     name    it was found, but cannot be imported
    └── NotAStrategy         it is not a class derived from Strategy
"""

import ast
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.machinery import SourceFileLoader
from importlib.metadata import EntryPoint, entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from traceback import extract_tb
from types import CodeType

from millrace_core.errors import MillraceError
from millrace_core.near_names import did_you_mean
from millrace_service import SettingsInvalid
from millrace_strategy import Strategy


class PluginNotFound(MillraceError):
    """No installed plugin and no class in the plugin folder has this name."""

    def __init__(self, name: str, folder: Path | None, unreadable: list[str]) -> None:
        place = f"the plugin folder {folder}" if folder else "a plugin folder (none is set: MILLRACE_PLUGIN_DIR)"
        text = f"no strategy named {name}: neither an installed plugin nor a class in {place}"
        super().__init__("; ".join([text, *unreadable]) + did_you_mean(name, plugin_names(folder)))
        self.name = name


class PluginAmbiguous(MillraceError):
    """Several files of the plugin folder hold a class of this name."""

    def __init__(self, name: str, files: list[Path]) -> None:
        super().__init__(f"several files hold a class {name}: {', '.join(map(str, files))}; rename all but one")
        self.name = name


class PluginBroken(MillraceError):
    """A plugin was found, but cannot be imported."""

    def __init__(self, name: str, where: str, why: str) -> None:
        super().__init__(f"strategy {name} of {where} {why}")
        self.name = name


class NotAStrategy(PluginBroken):
    """What a plugin's name names is not a class derived from `Strategy`."""


ENTRY_POINTS = "millrace.strategies"
_UNREADABLE = (SyntaxError, ValueError, OSError)
DEFAULT_FOLDERS = (Path("strategies"), Path("examples/strategies"))


def plugin_folder(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the plugin folder: MILLRACE_PLUGIN_DIR, else the first of `DEFAULT_FOLDERS` that exists, else None.

    Raises:
        SettingsInvalid: MILLRACE_PLUGIN_DIR does not name a folder.
    """
    if named := environ.get("MILLRACE_PLUGIN_DIR"):
        if not Path(named).is_dir():
            raise SettingsInvalid(f"MILLRACE_PLUGIN_DIR is {named!r}; it must be an existing folder")
        return Path(named)
    return next((folder for folder in DEFAULT_FOLDERS if folder.is_dir()), None)


def plugin_names(folder: Path | None) -> list[str]:
    """Return the names that may be a strategy's, sorted: installed plugins, and derived classes in the plugin folder.

    Nothing is imported, so classes derived from something else are among them. Files that cannot be read are left out.
    """
    names = {entry.name for entry in entry_points(group=ENTRY_POINTS)}
    for path in _files(folder):
        with suppress(*_UNREADABLE):
            names.update(each.name for each in _classes(path) if each.bases and not each.name.startswith("_"))
    return sorted(names)


def load_strategy(name: str, folder: Path | None) -> type[Strategy]:
    """Return a strategy's class; an installed plugin comes before a file.

    Raises:
        PluginNotFound: no class has this name.
        PluginAmbiguous: several files hold such a class.
        PluginBroken: it cannot be imported.
        NotAStrategy: it is not a `Strategy`.
    """
    installed = entry_points(group=ENTRY_POINTS, name=name)
    if installed:
        return _load_installed(next(iter(installed)))
    files, unreadable = _files_with_class(name, folder)
    if not files:
        raise PluginNotFound(name, folder, unreadable)
    if len(files) > 1:
        raise PluginAmbiguous(name, files)
    return _load_file(name, files[0])


def _load_installed(entry: EntryPoint) -> type[Strategy]:
    where = f"the installed plugin {entry.value}"
    try:
        found = entry.load()
    except Exception as error:
        raise PluginBroken(entry.name, where, f"cannot be imported: {_describe(error)}") from error
    return _checked(entry.name, where, found)


def _files_with_class(name: str, folder: Path | None) -> tuple[list[Path], list[str]]:
    files, unreadable = [], []
    for path in _files(folder):
        try:
            if any(each.name == name for each in _classes(path)):
                files.append(path)
        except _UNREADABLE as error:
            unreadable.append(f"{path} cannot be read: {_describe(error)}")
    return files, unreadable


def _files(folder: Path | None) -> list[Path]:
    return sorted(folder.glob("*.py")) if folder else []


def _classes(path: Path) -> list[ast.ClassDef]:
    return [node for node in ast.parse(path.read_bytes()).body if isinstance(node, ast.ClassDef)]


class _FreshLoader(SourceFileLoader):
    """Compiles the source each time: a cached compilation of a file saved twice in one second would be stale."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


def _load_file(name: str, path: Path) -> type[Strategy]:
    folder = str(path.parent.resolve())
    if folder not in sys.path:
        # Last, so that a plugin may import its neighbours but hides no installed package.
        sys.path.append(folder)
    module_name = f"millrace_plugin_{path.stem}"
    spec = spec_from_file_location(module_name, path, loader=_FreshLoader(module_name, str(path)))
    if spec is None or spec.loader is None:
        raise PluginBroken(name, str(path), "cannot be imported: it is not a Python file")
    module = module_from_spec(spec)
    # Dataclasses and pydantic look a class's module up here.
    sys.modules[module_name] = module
    try:
        with _only_this_process():
            spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[module_name]
        raise PluginBroken(name, str(path), f"cannot be imported: {_describe(error)}{_line(error, path)}") from error
    return _checked(name, str(path), getattr(module, name))


@contextmanager
def _only_this_process() -> Iterator[None]:
    """Let the block go on in this process alone; a fork of the plugin's that comes out of it ends here.

    It shares our connections and what our event loop waits for: it would answer the agent, and read what is for us.
    """
    pid = os.getpid()
    try:
        yield
    finally:
        if os.getpid() != pid:
            os._exit(1)


def _checked(name: str, where: str, found: object) -> type[Strategy]:
    if not (isinstance(found, type) and issubclass(found, Strategy)):
        raise NotAStrategy(name, where, "is not a class derived from millrace_strategy.Strategy")
    return found


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _line(error: Exception, path: Path) -> str:
    lines = [frame.lineno for frame in extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f" (line {lines[-1]})" if lines else ""
