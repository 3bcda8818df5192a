"""How the memory of large answers is given back to the system."""

import ctypes
from contextlib import suppress
from typing import Final

_MMAP_THRESHOLD: Final = -3
_LARGE_BYTES: Final = 131_072


def give_large_blocks_back() -> None:
    """Have the C library give each large block back when it is freed; does nothing where it has no such setting.

    By default glibc takes such blocks from the heap as soon as some were freed, and the heap never shrinks below what
    is still in use: a few large answers leave 20 MB behind.
    """
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)
