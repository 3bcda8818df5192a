"""The workers of a service: started when they are needed, ended when they are not."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from typing import Any, Final

from millrace_core.names import Tenant
from millrace_store.workers.frames import Order
from millrace_store.workers.process import ForkServer, Worker
from millrace_store.workers.query import Export, Query, Work
from millrace_store.workers.turns import Turns

WORKERS: Final = 8
"""Processes at a time; half of them may write exports."""
IDLE_S: Final = 10.0
"""How long a worker waits for the next order, and what they are forked from for the next worker."""


class WorkerPool:
    """Answers queries, writes exports of one database and does other work in processes of their own."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._turns = Turns(WORKERS)
        self._server: ForkServer | None = None
        self._starting = asyncio.Lock()
        self._workers: set[Worker] = set()
        self._idle: dict[Worker, asyncio.TimerHandle] = {}
        self._ending: set[asyncio.Task[None]] = set()

    async def answer(self, asked: Query | Export | Work, tenant: Tenant) -> AsyncGenerator[bytes, None]:
        """Return an answer piece by piece. Closing the iterator early kills the process.

        Raises:
            StoreError: as the query raises it, or `WorkerEnded`.
            ValueError: as the query raises it.
        """
        async with self._turns.turn(tenant):
            worker = self._rested() or await self._start()
            try:
                async with aclosing(worker.answer(Order(self._url, asked))) as pieces:
                    async for piece in pieces:
                        yield piece
            finally:
                if worker.is_free:
                    self._rest(worker)
                else:
                    await self._end(worker)

    async def close(self) -> None:
        """End all processes that wait."""
        while (worker := self._rested()) is not None:
            self._retire(worker)
        await asyncio.gather(*self._ending)
        self._end_server()
        await asyncio.gather(*self._ending)

    def _rested(self) -> Worker | None:
        """Return the worker that has rested for the shortest time."""
        while self._idle:
            worker, timer = self._idle.popitem()
            timer.cancel()
            if not worker.has_ended:
                return worker
            self._retire(worker)
        return None

    async def _start(self) -> Worker:
        async with self._starting:
            if self._server is None or self._server.has_ended:
                self._server = await ForkServer.start()
            worker = await self._server.worker()
        self._workers.add(worker)
        return worker

    def _rest(self, worker: Worker) -> None:
        self._idle[worker] = asyncio.get_running_loop().call_later(IDLE_S, self._retire, worker)

    def _retire(self, worker: Worker) -> None:
        self._idle.pop(worker, None)
        self._see_to(self._end(worker))

    async def _end(self, worker: Worker) -> None:
        self._workers.discard(worker)
        await worker.end()
        if not self._workers:
            asyncio.get_running_loop().call_later(IDLE_S, self._end_server)

    def _end_server(self) -> None:
        """End what workers are forked from, unless there are any again."""
        if not self._workers and self._server is not None:
            self._see_to(self._server.end())
            self._server = None

    def _see_to(self, end: Coroutine[Any, Any, None]) -> None:
        ending = asyncio.create_task(end)
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
