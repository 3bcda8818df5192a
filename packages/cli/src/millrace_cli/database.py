"""The database of commands that only read or change what is there: they make none."""

from millrace_core.errors import MillraceError
from millrace_store import Store


class NoDatabase(MillraceError):
    """The file of the database does not exist."""


def existing(url: str) -> str:
    """Return the database's address if there is such a database, as far as can be told without connecting.

    Raises:
        NoDatabase: its file does not exist; the text says how to name another.
    """
    if (file := Store.file_of(url)) is not None and not file.is_file():
        raise NoDatabase(f"there is no database {file}: choose one with --database-url, or its folder with --data-dir")
    return url
