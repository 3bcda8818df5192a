"""The processes that run the backtests of a sweep. They end with the one that started them, however it ends."""

import asyncio
import pickle
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

import msgspec

from millrace_backtest.sweep.job import Job, Outcome, SweptStrategy
from millrace_bus.server import bound_to_us
from millrace_core.messages import encode

_LONGEST_LINE: Final = 16 * 1024 * 1024
_MODULE: Final = "millrace_backtest.sweep.worker"


class Workers:
    """Runs jobs, as many at a time as there are workers. Leaving the block kills those that still work."""

    def __init__(self, swept: SweptStrategy, count: int) -> None:
        self.count = count
        self._swept = pickle.dumps(swept)
        self._free: asyncio.Queue[Process | None] = asyncio.Queue()
        self._running: set[Process] = set()
        self._outcomes = msgspec.json.Decoder(Outcome)
        for _ in range(count):
            self._free.put_nowait(None)

    async def run(self, job: Job) -> Outcome:
        """Run a job once a worker is free."""
        process = await self._free.get()
        is_well = False
        try:
            if process is None:
                process = await self._start()
            line = await self._ask(process, job)
            is_well = bool(line)
            if is_well:
                return self._outcomes.decode(line)
            return Outcome(error=f"the worker ended with code {await process.wait()}")
        finally:
            # One that was interrupted has an answer to give that nobody waits for.
            if not is_well:
                self._lose(process)
            self._free.put_nowait(process if is_well else None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None) -> None:
        running = list(self._running)
        for process in running:
            self._lose(process)
        for process in running:
            await process.wait()

    async def _start(self) -> Process:
        # A session of their own: Ctrl-C on the terminal is for the process that started them.
        process = await asyncio.create_subprocess_exec(
            *bound_to_us(sys.executable, "-m", _MODULE),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            start_new_session=True,
            limit=_LONGEST_LINE,
        )
        self._running.add(process)
        assert process.stdin is not None  # noqa: S101 - it is a pipe
        process.stdin.write(self._swept)
        return process

    async def _ask(self, process: Process, job: Job) -> bytes:
        """Return the worker's answer; nothing if it has ended."""
        assert process.stdin is not None and process.stdout is not None  # noqa: S101 - they are pipes
        with suppress(ConnectionError):
            process.stdin.write(encode(job) + b"\n")
            await process.stdin.drain()
            return await process.stdout.readline()
        return b""

    def _lose(self, process: Process | None) -> None:
        if process is not None:
            self._running.discard(process)
            with suppress(ProcessLookupError):
                process.kill()
