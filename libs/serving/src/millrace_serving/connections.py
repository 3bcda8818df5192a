"""HTTP connections: how much a client may send before its request is read, and how long it may keep the server waiting.

uvicorn bounds neither. It copies a header again with each piece that comes, so the endless header of one stranger
would stop everybody, and connections on which nothing comes, or whose answers nobody reads, would stay for ever.
"""

import asyncio
import resource
from contextlib import suppress
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD: Final = 65_536
"""Bytes of a request besides its body."""
RECEIVE_S: Final = 30.0
"""How long a client may take for its request, with its body."""
STALLED_S: Final = 60.0
"""A client that reads nothing of its answer for this long is disconnected."""
MOST_CONNECTIONS: Final = 2_000
"""Connections at a time, WebSockets apart; a further one ends those that have been silent for the longest time."""
_ENDED_TOGETHER: Final = 200
SWEEP_S: Final = 5.0


class Connection(HttpToolsProtocol):
    """One client's connection."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._unread = 0
        """Bytes that have come and are neither a whole head nor a body."""
        self._received_s = 0.0
        self._receiving_s: float | None = None
        """Since when a request has been awaited or is coming in."""
        self._stalled_s: float | None = None
        """Since when the client has not read."""

    @property
    def is_idle(self) -> bool:
        """Tell whether nothing is done for the client, or the client is what is waited for."""
        is_done = self.cycle is None or self.cycle.response_complete
        return is_done or self._receiving_s is not None or self._stalled_s is not None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._received_s = self._receiving_s = self.loop.time()
        if len(self.connections) > MOST_CONNECTIONS:
            end_silent(self.connections)

    def data_received(self, data: bytes) -> None:
        """Take what comes, unless it is too much."""
        self._received_s = self.loop.time()
        self._unread += len(data)
        super().data_received(data)
        if self.transport.is_closing() or not self._unread:
            return
        if self._receiving_s is None:
            self._receiving_s = self._received_s
        if self._unread > MOST_HEAD:
            self.send_400_response(f"The head of a request has at most {MOST_HEAD} bytes.")

    def on_message_begin(self) -> None:
        """Note that another request begins."""
        super().on_message_begin()
        self._receiving_s = self._received_s

    def on_headers_complete(self) -> None:
        """Note that a head was read."""
        self._unread = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Note that a piece of a body was read."""
        self._unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that a request has come whole."""
        self._unread, self._receiving_s = 0, None
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Note that the client does not read."""
        self._stalled_s = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """Note that the client reads again."""
        self._stalled_s = None
        super().resume_writing()

    def check(self, now_s: float) -> None:
        """Disconnect a client that keeps the server waiting for too long."""
        for since_s, most_s in ((self._receiving_s, RECEIVE_S), (self._stalled_s, STALLED_S)):
            if since_s is not None and now_s - since_s > most_s:
                self.end()

    def end(self) -> None:
        """Disconnect at once; what was not sent yet is lost."""
        self.transport.abort()

    def silent_since_s(self) -> float:
        """Return when something came last."""
        return self._received_s


def end_silent(connections: "set[Any]") -> None:
    """Disconnect clients that have been silent for the longest time and for whom nothing is done."""
    idle = (each for each in connections if isinstance(each, Connection) and each.is_idle)
    for connection in sorted(idle, key=Connection.silent_since_s)[:_ENDED_TOGETHER]:
        connection.end()


async def sweep(connections: "set[Any]") -> None:
    """Disconnect clients that keep the server waiting, until cancelled."""
    while True:
        await asyncio.sleep(SWEEP_S)
        now_s = asyncio.get_running_loop().time()
        for connection in tuple(connections):
            # Some WebSockets of a server are among them.
            if isinstance(connection, Connection):
                connection.check(now_s)


def allow_many_files() -> None:
    """Allow this process as many connections as the system lets it have: often 1,024 is only the usual number."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
