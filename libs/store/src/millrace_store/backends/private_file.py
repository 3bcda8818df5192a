"""Files that only their owner reads: databases and exports hold orders, balances and configurations."""

import os
from pathlib import Path
from typing import Final

_OTHERS: Final = 0o077
OWNER_ONLY: Final = 0o600


def make_private(path: Path) -> None:
    """Make a file that only its owner may read, or take everybody else's permissions from one that exists.

    Raises:
        OSError: it cannot be made.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, OWNER_ONLY))
    except FileExistsError:
        # Never opened here: closing it again would release the locks that SQLite holds on it in this process.
        status = path.stat()
        if status.st_mode & _OTHERS and status.st_uid == os.geteuid():
            path.chmod(OWNER_ONLY)
