"""The API's own options, each on the command line and in the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from millrace_service import SettingsInvalid
from millrace_service.settings import DEFAULT_DATA_DIR

DEFAULT_PORT = 8081
OPTIONS = {
    "host": "address to serve on (default 127.0.0.1; 0.0.0.0 for all)",
    "port": f"port to serve on (default {DEFAULT_PORT})",
    "database-url": "sqlite:///path or postgresql://… (default millrace.db in the data folder)",
}


@dataclass(frozen=True, slots=True)
class Options:
    """Where to serve, and from which database."""

    host: str
    port: int
    database_url: str


def read_options(environ: Mapping[str, str] = os.environ) -> Options:
    """Read the options; the command line's are in the environment by now.

    Raises:
        SettingsInvalid: the port is none.
    """
    port = environ.get("MILLRACE_PORT") or str(DEFAULT_PORT)
    if not port.isdecimal() or int(port) > 65_535:
        raise SettingsInvalid(f"MILLRACE_PORT is {port!r}; it must be a number up to 65535")
    folder = Path(environ.get("MILLRACE_DATA_DIR") or DEFAULT_DATA_DIR)
    url = environ.get("MILLRACE_DATABASE_URL") or f"sqlite:///{folder / 'millrace.db'}"
    return Options(environ.get("MILLRACE_HOST") or "127.0.0.1", int(port), url)
