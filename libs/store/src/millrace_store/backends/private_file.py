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
    handle = os.open(path, os.O_RDWR | os.O_CREAT, OWNER_ONLY)
    try:
        status = os.fstat(handle)
        if status.st_mode & _OTHERS and status.st_uid == os.geteuid():
            os.fchmod(handle, OWNER_ONLY)
    finally:
        os.close(handle)
