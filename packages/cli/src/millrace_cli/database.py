"""The database of commands that only read or change what is there: they make none."""

from pathlib import Path

from millrace_core.errors import MillraceError
from millrace_store import Store


class NoDatabase(MillraceError):
    """The file of the database does not exist."""


def existing(url: str) -> str:
    """Return the database's address if there is such a database, as far as can be told without connecting.

    Raises:
        NoDatabase: its file does not exist; the text says where there is one, and how to name it.
    """
    if (file := _missing(url)) is not None:
        where = "".join(f"; there is one in {folder}" for folder in _below(file))
        raise NoDatabase(
            f"there is no database {file}{where}: choose one with --database-url, or its folder with --data-dir"
        )
    return url


def unless_below(url: str) -> str:
    """Return the address of a database that may be made, unless a folder below has one that was probably meant.

    Raises:
        NoDatabase: its file does not exist, but the demo's does, for example.
    """
    file = _missing(url)
    return existing(url) if file is not None and _below(file) else url


def _missing(url: str) -> Path | None:
    file = Store.file_of(url)
    return None if file is None or file.is_file() else file


def _below(file: Path) -> list[Path]:
    return sorted(found.parent for found in file.parent.glob(f"*/{file.name}"))
