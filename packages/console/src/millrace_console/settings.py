"""The options of the console's process."""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

DEFAULT_PORT = 8081
DEFAULT_API = "http://127.0.0.1:8080"
DEFAULT_DATA_DIR = ".millrace"


@dataclass(frozen=True, slots=True)
class Options:
    """Where the console serves, and the API that it shows."""

    host: str
    port: int
    api_url: str
    """Without a path, such as `http://127.0.0.1:8080`."""
    data_dir: Path
    """Holds the key of the sign-in cookies, so that a restart signs nobody out."""


def read_options(arguments: Sequence[str], environ: Mapping[str, str] = os.environ) -> Options:
    """Return the options; those of the command line come before those of the environment.

    Raises:
        SystemExit: an option is wrong; the text has been printed.
    """
    parser = argparse.ArgumentParser(prog="python -m millrace_console", description="The web console of millrace.")
    parser.add_argument("--host", default=environ.get("MILLRACE_HOST") or "127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=_port, default=environ.get("MILLRACE_CONSOLE_PORT") or DEFAULT_PORT)
    parser.add_argument("--api-url", type=_url, default=environ.get("MILLRACE_API_URL") or DEFAULT_API)
    parser.add_argument("--data-dir", type=Path, default=Path(environ.get("MILLRACE_DATA_DIR") or DEFAULT_DATA_DIR))
    found = parser.parse_args(arguments)
    return Options(found.host, found.port, found.api_url, found.data_dir)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port number from 0 to 65535")
    return int(text)


def _url(text: str) -> str:
    parts = urlsplit(text)
    # Pages and output show the address, so it holds no password. Nor does the message repeat what may be one.
    if parts.scheme not in ("http", "https") or not parts.netloc or "@" in parts.netloc:
        raise argparse.ArgumentTypeError(f"the API's address is one such as {DEFAULT_API}, without user and password")
    return text.rstrip("/")
