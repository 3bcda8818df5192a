"""Transport between dbsync and its reading process: a job there, prepared batches back.

Batches go through memory that both processes map; a pipe carries only a short notice of each. A pipe takes 64 KB at a
time, and for a busy process waiting for its turn at each piece costs more than the reading itself.
"""

import mmap
import os
import pickle
import struct
import tempfile
from collections.abc import Callable
from typing import Final, NamedTuple

from millrace_core.ids import MessageId
from millrace_dbsync.plan import TenantPlan
from millrace_dbsync.reader.prepared import PreparedBatch
from millrace_store.writing.packing import pack, unpack

NOTICE: Final = struct.Struct(">BQ")
"""Says that a batch is there: the slot, and its size in bytes."""
SIZE_BYTES: Final = 8
GREETING: Final = b"\x01"
"""The process writes it when it is ready for its job."""
_LEAST_BYTES: Final = 1 << 18


class SharedMemory:
    """Memory that two processes map: one writes, tells the other the size, and the other reads."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._memory: mmap.mmap | None = None

    @classmethod
    def make(cls) -> "SharedMemory":
        """Make one: in memory where the system can, else as a file without a name."""
        if hasattr(os, "memfd_create"):
            return cls(os.memfd_create("millrace"))
        with tempfile.TemporaryFile() as file:
            return cls(os.dup(file.fileno()))

    def put(self, content: bytes) -> None:
        """Replace the content."""
        size = len(content)
        if self._memory is None or len(self._memory) < size:
            os.ftruncate(self.descriptor, max(_LEAST_BYTES, 1 << size.bit_length()))
        self._mapped(size)[:size] = content

    def take(self, size: int) -> memoryview:
        """Return the content; read it before the other process may write again."""
        return memoryview(self._mapped(size))[:size]

    def close(self) -> None:
        """Close the shared memory."""
        self._memory = None
        os.close(self.descriptor)

    def _mapped(self, size: int) -> mmap.mmap:
        """Return the memory as it is now; the other process may have made it larger."""
        if self._memory is None or len(self._memory) < size:
            self._memory = mmap.mmap(self.descriptor, os.fstat(self.descriptor).st_size)
        return self._memory


class ReadingJob(NamedTuple):
    """What to read, and from where on."""

    redis_url: str
    plan: TenantPlan
    stored: dict[str, MessageId]


def pack_job(job: ReadingJob) -> bytes:
    """Return a job as bytes, behind its size."""
    packed = pickle.dumps(job)
    return len(packed).to_bytes(SIZE_BYTES, "big") + packed


def unpack_job(packed: bytes) -> ReadingJob:
    """Return the job that our own process packed, without its size."""
    job: ReadingJob = pickle.loads(packed)  # noqa: S301 - our own process's
    return job


def put_batch(slot: int, memory: SharedMemory, prepared: PreparedBatch) -> bytes:
    """Put a batch in a slot; return the notice of it."""
    packed = pack(prepared.rows, prepared.summary)
    memory.put(packed)
    return NOTICE.pack(slot, len(packed))


def take_batch(memory: SharedMemory, size: int, release: Callable[[], None]) -> PreparedBatch:
    """Return the batch that is in a slot."""
    rows, summary = unpack(memory.take(size))
    return PreparedBatch(summary, rows, None, release)
