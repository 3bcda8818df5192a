"""Where services write their logs: each to a file of its own, or all to one terminal, under their names."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol, TextIO

_WIDTH = 9
"""Of the longest service's name."""
_LONGEST = 1 << 20
_TAIL_BYTES = 4_096
_END_LIMIT_S = 0.5
"""How long to wait for the end of what ended processes wrote: a process that they started may hold their pipe open."""


class Output(Protocol):
    """Takes what one service writes, over all of its processes."""

    environment: dict[str, str]
    """What the process needs in its environment, so that its log suits the reader."""

    def file(self) -> AbstractAsyncContextManager[int]:
        """Yield the file that a new process gets as its standard output."""

    async def last_line(self) -> str:
        """Return the last line that an ended process wrote, or an empty text."""

    async def close(self) -> None:
        """Take everything that was written, and close."""


class LogFile:
    """A file that the service's processes write themselves."""

    def __init__(self, path: Path) -> None:
        self.environment: dict[str, str] = {}
        self._path = path
        self._opened = path.open("ab")

    @asynccontextmanager
    async def file(self) -> AsyncIterator[int]:
        """Yield the log file itself."""
        yield self._opened.fileno()

    async def last_line(self) -> str:
        """Return the last line of the file, or an empty text."""
        with self._path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
        return lines[-1].strip() if lines else ""

    async def close(self) -> None:
        """Close the file."""
        self._opened.close()


class NamedLines:
    """Writes a service's lines under its name; JSON stays as it is, since it names its service itself."""

    def __init__(self, name: str, terminal: TextIO) -> None:
        # The service sees a pipe; what becomes of it is known here.
        self.environment = {"MILLRACE_LOG_FORMAT": "console"} if terminal.isatty() else {}
        if "MILLRACE_LOG_FORMAT" in os.environ:
            self.environment = {}
        self._name, self._terminal = name, terminal
        self._last = ""
        self._readers: list[asyncio.Task[None]] = []

    @asynccontextmanager
    async def file(self) -> AsyncIterator[int]:
        """Yield the end of a new pipe, and write what comes through it until it ends."""
        # A pipe of `asyncio.subprocess` would let nobody know that the process has ended while its children hold it.
        ours, theirs = os.pipe()
        try:
            stream = asyncio.StreamReader()
            protocol = asyncio.StreamReaderProtocol(stream)
            transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(ours, "rb"))
            self.follow(stream).add_done_callback(lambda _: transport.close())
            yield theirs
        finally:
            os.close(theirs)

    def follow(self, stream: asyncio.StreamReader) -> asyncio.Task[None]:
        """Write what a process writes, until it ends; return the task."""
        reader = asyncio.create_task(self._read(stream), name=f"output of {self._name}")
        self._readers = [*(each for each in self._readers if not each.done()), reader]
        return reader

    async def last_line(self) -> str:
        """Return the last line that the processes that have ended wrote, or an empty text."""
        await self._ended()
        return self._last

    async def close(self) -> None:
        """Write what the processes wrote, which have all ended; what they left running is no longer heard."""
        if reading := await self._ended():
            for reader in reading:
                reader.cancel()
            await asyncio.wait(reading)

    async def _ended(self) -> set[asyncio.Task[None]]:
        """Wait until all pipes have ended; return the readers of those that have not within the limit."""
        if not self._readers:
            return set()
        _, reading = await asyncio.wait(self._readers, timeout=_END_LIMIT_S)
        return reading

    async def _read(self, stream: asyncio.StreamReader) -> None:
        while line := await _line(stream):
            text = line.decode(errors="replace").rstrip()
            self._last = text or self._last
            named = text if text.startswith("{") else f"{self._name:<{_WIDTH}} | {text}"
            # A closed terminal must not end the services.
            with contextlib.suppress(OSError):
                self._terminal.write(f"{named}\n")
                self._terminal.flush()


async def _line(stream: asyncio.StreamReader) -> bytes:
    """Return the next line, or what fits of one that is too long; empty at the end."""
    try:
        return await stream.readuntil(b"\n")
    except asyncio.IncompleteReadError as end:
        return end.partial
    except asyncio.LimitOverrunError as long:
        return await stream.read(long.consumed or _LONGEST)
