"""The program of a worker: it answers what its input asks, one order after the other, until its service has ended.

It runs with less right to the processor than the services. `python -m millrace_store.workers.worker`, with frames on
its input and output.
"""

import asyncio
import os
import pickle
import sys
import threading
from contextlib import AsyncExitStack
from typing import Final

from millrace_store.backends.reading import rows_read
from millrace_store.errors import StoreError
from millrace_store.store import Store
from millrace_store.workers.frames import END, ERROR, HEAD, PIECE, ROWS, Order, frame

_NICENESS: Final = 10


def _send(kind: bytes, body: bytes = b"") -> None:
    try:
        sys.stdout.buffer.write(frame(kind, body))
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os._exit(0)


def _read(orders: "asyncio.Queue[bytes]", loop: asyncio.AbstractEventLoop) -> None:
    """Hand the orders over; end the process at once when its service is gone, whatever it is doing."""
    while head := sys.stdin.buffer.read(HEAD.size):
        _, length = HEAD.unpack(head)
        loop.call_soon_threadsafe(orders.put_nowait, sys.stdin.buffer.read(length))
    os._exit(0)


async def _work() -> None:
    orders: asyncio.Queue[bytes] = asyncio.Queue()
    threading.Thread(target=_read, args=(orders, asyncio.get_running_loop()), daemon=True).start()
    rows_read.set(lambda rows: _send(ROWS, b"%d" % rows))
    store: Store | None = None
    async with AsyncExitStack() as resources:
        while True:
            order: Order = pickle.loads(await orders.get())  # noqa: S301 - our own service's
            try:
                if store is None:
                    store = await resources.enter_async_context(Store.open(order.url, migrate=False))
                async for piece in order.asked.answer(store):
                    _send(PIECE, piece)
            except (StoreError, ValueError) as error:
                _send(ERROR, pickle.dumps(error))
            else:
                _send(END)


if __name__ == "__main__":
    os.nice(_NICENESS)
    asyncio.run(_work())
