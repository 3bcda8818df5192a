"""`python -m millrace_dbsync.reader DESCRIPTOR …`: reads journals for a dbsync, and prepares batches of them.

The arguments are descriptors of memory that dbsync shares with this process: the slots, one for each batch that may be
ready at a time. Standard input brings a job, and later the number of each slot that is free again; standard output
takes a greeting, and then a notice of each batch. Nothing is kept here: dbsync knows how far everything is stored.
"""

import asyncio
import logging
import signal
import sys
from collections.abc import Sequence
from contextlib import aclosing
from typing import TypeAlias

import uvloop

from millrace_bus import Bus
from millrace_dbsync.interpreter import suit_bulk
from millrace_dbsync.reader.local import BatchPreparation
from millrace_dbsync.reader.transport import GREETING, SIZE_BYTES, ReadingJob, SharedMemory, put_batch, unpack_job
from millrace_dbsync.reading.intake import Intake, JournalNames
from millrace_service.tasks import run_all

Slots: TypeAlias = "asyncio.LifoQueue[int]"
"""Free slots. The one that was used last comes first: it is still in the processor's cache."""


async def main(slots: Sequence[SharedMemory]) -> None:
    """Read until standard input ends, as it does when dbsync dies.

    Raises:
        IncompleteReadError: standard input ended.
        BusError: Redis refused.
    """
    commands = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(commands)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin.buffer)
    _write(GREETING)
    size = int.from_bytes(await commands.readexactly(SIZE_BYTES), "big")
    job = unpack_job(await commands.readexactly(size))
    free: Slots = asyncio.LifoQueue()
    for slot in range(len(slots)):
        free.put_nowait(slot)
    await run_all(_read(job, slots, free), _take_back(commands, free))


async def _read(job: ReadingJob, slots: Sequence[SharedMemory], free: Slots) -> None:
    async with Bus.connect(job.redis_url, name="dbsync.reader") as bus, bus.journals() as journals:
        intake = Intake(job.plan, journals, JournalNames(bus.journals()).names, job.stored)
        async with aclosing(BatchPreparation(intake, job.plan.batch_interval_s).batches()) as batches:
            async for prepared in batches:
                slot = await free.get()
                _write(put_batch(slot, slots[slot], prepared))


async def _take_back(commands: asyncio.StreamReader, free: Slots) -> None:
    while True:
        free.put_nowait((await commands.readexactly(1))[0])


def _write(content: bytes) -> None:
    # Never blocks: no more notices are on their way than there are slots, and they are short.
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    # Ctrl-C at a terminal reaches all of its processes, and dbsync ends this one itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # dbsync has connections of its own and logs their state.
    logging.disable(logging.WARNING)
    suit_bulk()
    try:
        uvloop.run(main([SharedMemory(int(descriptor)) for descriptor in sys.argv[1:]]))
    except (asyncio.IncompleteReadError, BrokenPipeError):
        sys.exit(0)
