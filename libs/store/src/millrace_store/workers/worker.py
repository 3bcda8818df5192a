"""What a worker does: it answers one order after the other, until its service has ended or leaves it."""

import asyncio
import os
import pickle
import socket
import threading
from contextlib import AsyncExitStack, suppress
from typing import NoReturn

from millrace_store.backends.reading import rows_read
from millrace_store.errors import StoreError
from millrace_store.store import Store
from millrace_store.workers.frames import END, ERROR, HEAD, PIECE, ROWS, Order, frame
from millrace_store.workers.query import Work


def work(service: socket.socket) -> NoReturn:
    """Answer what comes over a socket; the process ends with its other end."""
    asyncio.run(_Worker(service).run())
    os._exit(1)


class _Worker:
    def __init__(self, service: socket.socket) -> None:
        self._service = service

    async def run(self) -> NoReturn:
        orders: asyncio.Queue[bytes] = asyncio.Queue()
        threading.Thread(target=self._receive, args=(orders, asyncio.get_running_loop()), daemon=True).start()
        rows_read.set(lambda rows: self._send(ROWS, b"%d" % rows))
        store: Store | None = None
        async with AsyncExitStack() as resources:
            while True:
                order: Order = pickle.loads(await orders.get())  # noqa: S301 - our own service's
                try:
                    if isinstance(order.asked, Work):
                        self._send(PIECE, order.asked.result())
                        self._send(END)
                        continue
                    if store is None:
                        store = await resources.enter_async_context(Store.open(order.url, migrate=False))
                    async for piece in order.asked.answer(store):
                        self._send(PIECE, piece)
                except (StoreError, ValueError) as error:
                    self._send(ERROR, pickle.dumps(error))
                else:
                    self._send(END)

    def _send(self, kind: bytes, body: bytes = b"") -> None:
        try:
            self._service.sendall(frame(kind, body))
        except OSError:
            os._exit(0)

    def _receive(self, orders: "asyncio.Queue[bytes]", loop: asyncio.AbstractEventLoop) -> None:
        """Hand orders over; end the process at once when nobody is at the other end, whatever it is doing."""
        with self._service.makefile("rb") as incoming, suppress(OSError):
            while head := incoming.read(HEAD.size):
                _, length = HEAD.unpack(head)
                loop.call_soon_threadsafe(orders.put_nowait, incoming.read(length))
        os._exit(0)
