"""Megabytes from one process to another: through memory that both see, and a word that they are there.

A pipe takes 64 KB at a time, and each time whoever writes must have its turn again; for a busy process that adds up
to more than the work that is asked for. Nor is anything copied here but once, by whoever puts it in.
"""

import mmap
import os
import tempfile
from typing import Final

WORD_BYTES: Final = 9
"""Of the word that something is there: in which slot, and its size."""
_LEAST: Final = 1 << 20


def word(slot: int, size: int) -> bytes:
    """Give the word that something is there."""
    return slot.to_bytes(1, "big") + size.to_bytes(WORD_BYTES - 1, "big")


def word_of(text: bytes) -> tuple[int, int]:
    """Give slot and size."""
    return text[0], int.from_bytes(text[1:], "big")


class Passage:
    """Memory that two processes see: one puts something in, tells the other how long it is, and that one reads it."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._memory: mmap.mmap | None = None

    @classmethod
    def make(cls) -> "Passage":
        """Make one: in memory where the system can, else as a file without a name."""
        if hasattr(os, "memfd_create"):
            return cls(os.memfd_create("millrace"))
        with tempfile.TemporaryFile() as file:
            return cls(os.dup(file.fileno()))

    def put(self, content: bytes) -> int:
        """Replace what is in it; give the size."""
        size = len(content)
        if self._memory is None or len(self._memory) < size:
            os.ftruncate(self.descriptor, max(_LEAST, 1 << size.bit_length()))
        self._seen(size)[:size] = content
        return size

    def take(self, size: int) -> memoryview:
        """Give what is in it: to be read before the other is told that it may put something else in."""
        return memoryview(self._seen(size))[:size]

    def close(self) -> None:
        """Give it back."""
        self._memory = None
        os.close(self.descriptor)

    def _seen(self, size: int) -> mmap.mmap:
        """Give the memory as it is now; the other may have made it larger."""
        if self._memory is None or len(self._memory) < size:
            self._memory = mmap.mmap(self.descriptor, os.fstat(self.descriptor).st_size)
        return self._memory
