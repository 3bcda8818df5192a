"""Megabytes from one process to another: through memory that both see, and a word that they are there.

A pipe takes 64 KB at a time, and each time whoever writes must have its turn again; for a busy process that adds up
to more than the work that is asked for. Nor is anything copied here but once, by whoever puts it in.
"""

import mmap
import os
import struct
import tempfile
from typing import Final

WORD: Final = struct.Struct(">BQ")
"""Says that something is there: in which slot, and its size."""
_LEAST: Final = 1 << 18


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

    def put(self, content: bytes) -> None:
        """Replace what is in it."""
        size = len(content)
        if self._memory is None or len(self._memory) < size:
            os.ftruncate(self.descriptor, max(_LEAST, 1 << size.bit_length()))
        self._seen(size)[:size] = content

    def take(self, size: int) -> memoryview:
        """Return what is in it: to be read before the other is told that it may put something else in."""
        return memoryview(self._seen(size))[:size]

    def close(self) -> None:
        """Close the shared memory."""
        self._memory = None
        os.close(self.descriptor)

    def _seen(self, size: int) -> mmap.mmap:
        """Return the memory as it is now; the other may have made it larger."""
        if self._memory is None or len(self._memory) < size:
            self._memory = mmap.mmap(self.descriptor, os.fstat(self.descriptor).st_size)
        return self._memory
