"""Megabytes from one process to another: through a file in memory, in one step each, and a word that they are there.

A pipe takes 64 KB at a time, and each time whoever writes must have its turn again; for a busy process that adds up
to more than the work that is asked for.
"""

import os
import tempfile
from typing import Final

WORD_BYTES: Final = 9
"""Of the word that something is there: in which slot, and its size."""


def word(slot: int, size: int) -> bytes:
    """Give the word that something is there."""
    return slot.to_bytes(1, "big") + size.to_bytes(WORD_BYTES - 1, "big")


def word_of(text: bytes) -> tuple[int, int]:
    """Give slot and size."""
    return text[0], int.from_bytes(text[1:], "big")


class Passage:
    """A file that two processes hold: one puts something in, tells the other how long it is, and that one takes it."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    @classmethod
    def make(cls) -> "Passage":
        """Make one: in memory where the system can, else a file without a name."""
        if hasattr(os, "memfd_create"):
            return cls(os.memfd_create("millrace"))
        with tempfile.TemporaryFile() as file:
            return cls(os.dup(file.fileno()))

    def put(self, content: bytes) -> int:
        """Replace what is in it; give the size."""
        left, at = memoryview(content), 0
        while left:
            written = os.pwrite(self.descriptor, left, at)
            left, at = left[written:], at + written
        return len(content)

    def take(self, size: int) -> bytes:
        """Give what is in it."""
        found = os.pread(self.descriptor, size, 0)
        while len(found) < size:
            if not (more := os.pread(self.descriptor, size - len(found), len(found))):
                raise EOFError(f"{size} bytes were announced, and there are {len(found)}")
            found += more
        return found

    def close(self) -> None:
        """Give the file back."""
        os.close(self.descriptor)
