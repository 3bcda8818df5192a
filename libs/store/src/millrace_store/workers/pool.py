"""The workers of a service: started when they are needed, ended when they are not."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from millrace_core.names import Tenant
from millrace_store.workers.frames import Order
from millrace_store.workers.process import Worker
from millrace_store.workers.query import Export, Query
from millrace_store.workers.turns import Turns

WORKERS: Final = 8
"""Processes at a time; half of them may write exports."""
IDLE_S: Final = 10.0
"""How long a worker waits for the next order before it ends and gives its memory back."""


class WorkerPool:
    """Answers queries and writes exports of one database in processes of their own."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._turns = Turns(WORKERS)
        self._idle: dict[Worker, asyncio.TimerHandle] = {}
        self._ending: set[asyncio.Task[None]] = set()

    async def answer(self, asked: Query | Export, tenant: Tenant) -> AsyncGenerator[bytes, None]:
        """Return an answer piece by piece. Closing the iterator early kills the process.

        Raises:
            StoreError: as the query raises it, or `WorkerEnded`.
            ValueError: as the query raises it.
        """
        async with self._turns.turn(tenant):
            worker = self._rested() or await Worker.start()
            try:
                async with aclosing(worker.answer(Order(self._url, asked))) as pieces:
                    async for piece in pieces:
                        yield piece
            finally:
                if worker.is_free:
                    self._rest(worker)
                else:
                    await worker.kill()

    async def close(self) -> None:
        """End all processes that wait for orders."""
        for worker in tuple(self._idle):
            self._end(worker)
        await asyncio.gather(*self._ending)

    def _rested(self) -> Worker | None:
        """Return the worker that has rested for the shortest time."""
        while self._idle:
            worker, timer = self._idle.popitem()
            timer.cancel()
            if not worker.has_ended:
                return worker
        return None

    def _rest(self, worker: Worker) -> None:
        self._idle[worker] = asyncio.get_running_loop().call_later(IDLE_S, self._end, worker)

    def _end(self, worker: Worker) -> None:
        self._idle.pop(worker).cancel()
        ending = asyncio.create_task(worker.kill())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
