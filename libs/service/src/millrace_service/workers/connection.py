"""The connection between an agent and a worker: what they say, in frames.

The agent sends pickled objects, since only its own code can reach the worker. What comes from a worker is decoded by
type: a strategy that runs there must not be able to run code in the agent.
"""

import asyncio
import pickle
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

import msgspec

from millrace_core.heartbeat import ErrorReport, UnitHealth
from millrace_service.settings import Settings

_SIZE_BYTES: Final = 4
MAX_REPORT_BYTES: Final = 64 << 20
"""A longer report is taken for garbage."""


Bucket = Annotated[int, msgspec.Meta(ge=0, le=2_000)]
Count = Annotated[int, msgspec.Meta(ge=0)]


class UnitRecord(msgspec.Struct, frozen=True):
    """What is known of a unit: its health, and its latencies by hop as buckets of a histogram."""

    health: UnitHealth
    latencies: dict[str, dict[Bucket, Count]]


class WorkerReport(msgspec.Struct, frozen=True):
    """What a worker says every second, and soon after a change; it also shows that its event loop turns."""

    units: list[UnitRecord] = []
    """Those that changed since the last report."""
    errors: list[ErrorReport] = []
    """New ones, oldest first."""
    failure: str | None = None
    """Why the worker ends: what its units share could not be acquired."""


@dataclass(frozen=True)
class WorkerStart:
    """The first object that a worker is sent."""

    name: str
    agent: bytes
    """The agent before it has started, pickled."""
    settings: Settings


@dataclass(frozen=True)
class WantedUnits:
    """The units that a worker is to run from now on."""

    units: Mapping[str, Any]
    earlier: Mapping[str, UnitRecord] = field(default_factory=dict)
    """What is known of units that ran before, so that their counters go on."""
    restart: frozenset[str] = frozenset()
    """Units to run afresh, although their configuration is the same."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Texts to keep out of the worker's log."""


class WorkerConnection:
    """One end of the connection. Reading raises `IncompleteReadError` once the other end is closed."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def over(cls, connected: socket.socket) -> "WorkerConnection":
        """Return the connection over a socket, which it closes at its end."""
        return cls(*await asyncio.open_unix_connection(sock=connected))

    async def send(self, content: WorkerStart | WantedUnits | WorkerReport) -> None:
        """Send an object."""
        packed = _REPORTS.encode(content) if isinstance(content, WorkerReport) else pickle.dumps(content)
        self._writer.write(len(packed).to_bytes(_SIZE_BYTES, "big") + packed)
        await self._writer.drain()

    async def from_agent(self) -> Any:
        """Return the next object of the agent."""
        return pickle.loads(await self._frame())  # noqa: S301 - the agent's own

    async def from_worker(self) -> WorkerReport:
        """Return the next report of the worker.

        Raises:
            MsgspecError: it is none.
        """
        return _REPORT.decode(await self._frame())

    def close(self) -> None:
        """Close this end."""
        self._writer.close()

    async def _frame(self) -> bytes:
        size = int.from_bytes(await self._reader.readexactly(_SIZE_BYTES), "big")
        if size > MAX_REPORT_BYTES:
            raise msgspec.DecodeError(f"a frame of {size} bytes")
        return await self._reader.readexactly(size)


_REPORTS: Final = msgspec.msgpack.Encoder()
_REPORT: Final = msgspec.msgpack.Decoder(WorkerReport)
