"""Parquet files, written piece by piece with only a few frames in memory."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import Future
from typing import IO, Any, Final, cast

import polars as pl
from polars.io.plugins import register_io_source

from millrace_core.errors import MillraceError

_PIECES_WAITING: Final = 8


class _Ended(Exception):
    """The consumer has stopped reading the file."""


class _Bridge(io.RawIOBase):
    """Lets polars read frames from the event loop, and write bytes to it, in a thread of its own."""

    def __init__(self, frames: AsyncIterator[pl.DataFrame]) -> None:
        self._loop = asyncio.get_running_loop()
        self._frames = frames
        self.pieces: asyncio.Queue[bytes | None] = asyncio.Queue(_PIECES_WAITING)
        self.ended = False
        self.failure: MillraceError | None = None

    def writable(self) -> bool:
        """Return True: it is write-only."""
        return True

    def write(self, piece: Any) -> int:
        """Hand bytes over; wait while too many are waiting."""
        self._wait(self.pieces.put(bytes(piece)))
        return len(piece)

    def source(self, *_: object) -> Iterator[pl.DataFrame]:
        """Return the frames for polars."""
        while (frame := self._wait(anext(self._frames, None))) is not None:
            yield frame

    def _wait(self, awaitable: Any) -> Any:
        if self.ended:
            awaitable.close()
            raise _Ended

        async def run() -> Any:
            return await awaitable

        future: Future[Any] = asyncio.run_coroutine_threadsafe(run(), self._loop)
        try:
            return future.result()
        except MillraceError as error:
            self.failure = error  # polars would reduce it to a text
            raise


async def parquet(
    frames: AsyncIterator[pl.DataFrame], schema: Mapping[str, Any], rows_a_group: int
) -> AsyncIterator[bytes]:
    """Return a Parquet file of these frames piece by piece.

    Raises:
        MillraceError: raised by the frames.
    """
    bridge = _Bridge(frames)

    def work() -> None:
        lazy = register_io_source(bridge.source, schema=dict(schema))
        lazy.sink_parquet(cast("IO[bytes]", bridge), row_group_size=rows_a_group, engine="streaming")

    async def finish() -> None:
        try:
            await asyncio.to_thread(work)
        finally:
            await bridge.pieces.put(None)

    writing = asyncio.create_task(finish())
    try:
        while (piece := await bridge.pieces.get()) is not None:
            yield piece
        await _outcome(writing, bridge)
    finally:
        bridge.ended = True
        await _let_go(writing, bridge)


async def _outcome(writing: "asyncio.Task[None]", bridge: _Bridge) -> None:
    try:
        await writing
    except pl.exceptions.PolarsError:
        if bridge.failure is not None:
            raise bridge.failure from None
        raise


async def _let_go(writing: "asyncio.Task[None]", bridge: _Bridge) -> None:
    """Wait for the thread, and drop what it still hands over: it cannot be stopped from outside."""
    while not writing.done():
        taking = asyncio.create_task(bridge.pieces.get())
        await asyncio.wait({writing, taking}, return_when=asyncio.FIRST_COMPLETED)
        taking.cancel()
    if not writing.cancelled():
        writing.exception()
