"""Where services write their logs: each to a file of its own, or all to one terminal, under their names."""

import asyncio
import contextlib
import os
from pathlib import Path
from typing import IO, Protocol, TextIO

_WIDTH = 9
"""Of the longest service's name."""
_LONGEST = 1 << 20
_TAIL_BYTES = 4_096


class Output(Protocol):
    """Takes what one service writes, over all of its processes."""

    file: IO[bytes] | int
    """What a process gets as its standard output."""
    environment: dict[str, str]
    """What the process needs in its environment, so that its log suits the reader."""

    def follow(self, stream: asyncio.StreamReader | None) -> None:
        """Take what a new process writes."""

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
        self.file: IO[bytes] | int = self._opened

    def follow(self, stream: asyncio.StreamReader | None) -> None:
        """Do nothing: the process has the file."""

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
        self.file: IO[bytes] | int = asyncio.subprocess.PIPE
        # The service sees a pipe; what becomes of it is known here.
        self.environment = {"MILLRACE_LOG_FORMAT": "console"} if terminal.isatty() else {}
        if "MILLRACE_LOG_FORMAT" in os.environ:
            self.environment = {}
        self._name, self._terminal = name, terminal
        self._last = ""
        self._readers: list[asyncio.Task[None]] = []

    def follow(self, stream: asyncio.StreamReader | None) -> None:
        """Write what a new process writes, until it ends."""
        if stream is not None:
            running = [reader for reader in self._readers if not reader.done()]
            self._readers = [*running, asyncio.create_task(self._read(stream), name=f"output of {self._name}")]

    async def last_line(self) -> str:
        """Return the last line that the processes that have ended wrote, or an empty text."""
        await asyncio.gather(*self._readers)
        return self._last

    async def close(self) -> None:
        """Wait until everything is written; all processes have ended."""
        await asyncio.gather(*self._readers)

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
