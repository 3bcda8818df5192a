"""`python -m millrace_dbsync.reader DESCRIPTOR …`: reads journals for a dbsync, and puts what they hold in batches.

The arguments are descriptors of memory that dbsync shares with this process: the slots, one for each haul that may be
ready at a time. On standard input comes an order, and later the number of each slot that is free again; on standard
output goes a greeting, and then a word for each haul. Nothing is kept here: dbsync knows how far everything is stored.
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
from millrace_dbsync.reader.passing import Passage
from millrace_dbsync.reader.preparing import Preparing
from millrace_dbsync.reader.transport import GREETING, SIZE_BYTES, Order, order_of, put
from millrace_dbsync.reading.intake import Intake
from millrace_dbsync.reading.known_journals import KnownJournals
from millrace_service.tasks import run_all

Slots: TypeAlias = "asyncio.LifoQueue[int]"
"""Those that are free: what was used last is still in the processor's cache."""


async def main(slots: Sequence[Passage]) -> None:
    """Read until standard input ends, which it also does when dbsync dies.

    Raises:
        IncompleteReadError: it ended.
        BusError: Redis refused.
    """
    asked = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(asked)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin.buffer)
    _say(GREETING)
    order = order_of(await asked.readexactly(int.from_bytes(await asked.readexactly(SIZE_BYTES), "big")))
    free: Slots = asyncio.LifoQueue()
    for slot in range(len(slots)):
        free.put_nowait(slot)
    await run_all(_read(order, slots, free), _free(asked, free))


async def _read(order: Order, slots: Sequence[Passage], free: Slots) -> None:
    async with Bus.connect(order.redis_url, name="dbsync.reader") as bus, bus.journals() as journals:
        intake = Intake(order.plan, journals, KnownJournals(bus.journals()).names, order.stored)
        async with aclosing(Preparing(intake, order.plan.batch_interval_s).hauls()) as hauls:
            async for ready in hauls:
                slot = await free.get()
                _say(put(slot, slots[slot], ready))


async def _free(asked: asyncio.StreamReader, free: Slots) -> None:
    while True:
        free.put_nowait((await asked.readexactly(1))[0])


def _say(words: bytes) -> None:
    # Never waits: there are no more words on the way than slots, and they are short.
    sys.stdout.buffer.write(words)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    # Ctrl-C at a terminal reaches every process of it, and dbsync still has use for this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What there is to say of Redis says dbsync, which has connections of its own.
    logging.disable(logging.WARNING)
    suit_bulk()
    try:
        uvloop.run(main([Passage(int(descriptor)) for descriptor in sys.argv[1:]]))
    except (asyncio.IncompleteReadError, BrokenPipeError):
        sys.exit(0)
