"""The demo's data folder: locked while a demo uses it, and emptied on request."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from millrace_core.errors import MillraceError
from millrace_core.json_problems import UNREADABLE

MADE = ("valkey", "logs", "millrace.db", "millrace.db-wal", "millrace.db-shm", "exchange.journal", "demo.json")
"""What a demo makes in its data folder."""
_WRITTEN = "demo.json"
_LOCK = "demo.lock"


class FolderInUse(MillraceError):
    """Another demo uses the data folder."""


class NotMadeByDemo(MillraceError):
    """The data folder holds what something else has made."""


class Written(msgspec.Struct, forbid_unknown_fields=False):
    """What the last demo wrote to Redis."""

    exchange_url: str = ""
    """The simulated exchange's address in its configurations."""
    configs: dict[str, str] = {}
    """The configuration of each agent, by id."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep the folder from other demos, also when this process is killed.

    Raises:
        FolderInUse: another demo has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FolderInUse(
                f"another demo runs on {folder}: end it, or choose another folder with --data-dir"
            ) from None
        yield


def reset(folder: Path) -> None:
    """Remove everything that demos made in the folder, and nothing else.

    Raises:
        NotMadeByDemo: no demo has ever run on what it holds.
    """
    found = [name for name in MADE if (folder / name).exists()]
    if found and _WRITTEN not in found:
        raise NotMadeByDemo(
            f"{folder} holds {', '.join(found)}, but no demo has made that: choose another folder with --data-dir, "
            "or remove it yourself"
        )
    for name in MADE:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def written(folder: Path) -> Written:
    """Return what the last demo wrote; nothing if that cannot be read."""
    try:
        return msgspec.json.decode((folder / _WRITTEN).read_bytes(), type=Written)
    except (OSError, *UNREADABLE):
        return Written()


def note_written(folder: Path, what: Written) -> None:
    """Keep what this demo wrote."""
    (folder / _WRITTEN).write_bytes(msgspec.json.encode(what))
