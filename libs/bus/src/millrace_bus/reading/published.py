"""The state that a stream's writers have published, so a new writer can continue where the last one ended."""

import contextlib
from typing import Any, NamedTuple

from millrace_bus.connection.connection import Connection
from millrace_bus.reading.journal_page import first_id, first_message, id_of
from millrace_core.clock import NS_PER_MS
from millrace_core.errors import InvalidMessage, InvalidName
from millrace_core.ids import BEGINNING, MessageId
from millrace_core.messages import Message
from millrace_core.names import StreamName
from millrace_core.states import StreamState, state_of

PAGE = 500
"""Entries of the journal that are read at a time."""


class Published(NamedTuple):
    """The newest snapshot with the journal after it applied."""

    state: StreamState
    """The state as a reader has it, with every digit."""
    deltas: list[Any]
    """The decoded data of the deltas after the snapshot, oldest first: the state may no longer show it."""
    at_ms: int
    """When the newest message was published, wall clock; 0 if unknown."""


class PublishedReading:
    """Reads the published messages, and later those published since.

    Raises:
        Disconnected, CommandRefused: from every method, when the connection or Redis failed.
    """

    def __init__(self, connection: Connection, name: StreamName) -> None:
        self.newest: MessageId | None = None
        """The journal's newest entry that was read, or existed before the snapshot; None if there is none."""
        self._connection, self._name = connection, name
        self._state, self._deltas, self._at_ns = state_of(name.action, exact=True), list[Any](), 0
        self._position = BEGINNING
        self._found = False

    async def snapshot(self) -> None:
        """Begin with the newest snapshot; if it cannot be read, only the journal counts."""
        snapshot = first_message(await self._connection.call("XREVRANGE", self._name.snapshot, "+", "-", "COUNT", 1))
        self.newest = first_id(await self._connection.call("XREVRANGE", str(self._name), "+", "-", "COUNT", 1))
        self._found = self.newest is not None
        if snapshot is None:
            return
        with contextlib.suppress(InvalidMessage, InvalidName):
            self._position = self._state.reset(snapshot.data)
            self._found, self._at_ns = True, snapshot.trace.published or 0

    async def journal(self) -> Published | None:
        """Read the journal to its end; return the published state, or None if there is none."""
        while entries := await self._connection.call(
            "XRANGE", str(self._name), f"({self._position}", "+", "COUNT", PAGE
        ):
            for message in filter(None, (first_message([entry]) for entry in entries if id_of(entry[0]).is_possible)):
                self._take(message)
            self._position = self.newest = id_of(entries[-1][0])
            self._found = True
        return Published(self._state, self._deltas, self._at_ns // NS_PER_MS) if self._found else None

    async def is_complete(self, first: MessageId) -> bool:
        """Tell whether nothing was written between the last read entry and this one."""
        found = await self._connection.call("XREVRANGE", str(self._name), f"({first}", "-", "COUNT", 1)
        return first_id(found) == self.newest

    def _take(self, message: Message) -> None:
        self._at_ns = max(self._at_ns, message.trace.published or 0)
        if message.type == "delta":
            with contextlib.suppress(InvalidMessage):
                self._deltas.append(self._state.apply(message.data))
