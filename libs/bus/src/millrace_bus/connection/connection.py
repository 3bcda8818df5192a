"""One connection to Redis, as lean as Python allows: an asyncio protocol over hiredis, RESP3.

Publishing and subscribing go through here; measured at three times the throughput of a general client
(docs/protocol.md, "Speed"). A connection that is lost is not used again: `reconnecting` makes a new one.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

from hiredis import PushNotification, Reader, pack_command

from millrace_bus.connection.address import Address
from millrace_bus.errors import CommandRefused, Disconnected

ReplySink = Callable[[Any], None]
"""Callback for one reply; errors of Redis arrive as `CommandRefused`, a lost connection as `Disconnected`."""
Push = Callable[[list[Any]], None]
"""Callback for one out-of-band message, such as `[b"message", channel, data]`."""
OnRefused = Callable[[CommandRefused], None]
"""Callback for the error of a SUBSCRIBE that Redis refused."""
CommandPart = str | bytes | int | float

_NOTHING_YET = object()
_log = logging.getLogger("millrace.bus")


class Connection(asyncio.Protocol):
    """A connection that is up, or was; made by `connect`."""

    def __init__(self, on_push: Push | None = None, on_refused: OnRefused | None = None) -> None:
        self._reader = Reader(notEnoughData=_NOTHING_YET, replyError=CommandRefused)
        self._on_push, self._on_refused = on_push, on_refused
        self._sinks: deque[ReplySink | None] = deque()
        self._transport: asyncio.WriteTransport | None = None
        self.received = 0
        """Bytes read so far; shows whether the server is silent."""
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Done when the connection has ended; its result says why."""
        self.on_lost: Callable[[], None] | None = None
        """Called when the connection ends, before the waiters for replies are notified."""

    def send(self, commands: bytes, sinks: Sequence[ReplySink | None]) -> None:
        """Write packed commands now; each reply goes to its sink, in order. None ignores a reply.

        On a connection that is lost the sinks get a `Disconnected` at once.
        """
        if self._transport is None or self.lost.done():
            _give_up(sinks)
            return
        self._sinks.extend(sinks)
        self._transport.write(commands)

    async def call(self, *parts: CommandPart) -> Any:
        """Send one command and return its reply.

        Raises:
            CommandRefused: Redis answered with an error.
            Disconnected: the connection ended first.
        """
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.send(pack(*parts), [into(answer)])
        return await answer

    def abort(self) -> None:
        """End the connection without waiting for what is under way."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport over."""
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        """Hand every whole reply to its sink, every out-of-band message to the listener."""
        self.received += 1
        reader, sinks = self._reader, self._sinks
        reader.feed(data)
        while (reply := reader.gets()) is not _NOTHING_YET:
            if type(reply) is PushNotification:
                if self._on_push is not None:
                    self._on_push(reply)
            elif not sinks:
                # Only a refused SUBSCRIBE is answered in this way: nobody waits for it.
                _log.error("Redis error: %s", reply)
                if self._on_refused is not None and isinstance(reply, CommandRefused):
                    self._on_refused(reply)
            elif (sink := sinks.popleft()) is not None:
                sink(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail all waiting replies."""
        sinks, self._sinks = list(self._sinks), deque()
        if not self.lost.done():
            self.lost.set_result(str(exc) if exc else "the server closed the connection")
        if self.on_lost is not None:
            self.on_lost()
        _give_up(sinks)


def pack(*parts: CommandPart) -> bytes:
    """Return a command's bytes on the connection."""
    return bytes(pack_command(parts))


def pack_all(commands: Iterable[Sequence[CommandPart]]) -> bytes:
    """Return several commands' bytes, as one pipeline."""
    return b"".join(pack(*command) for command in commands)


async def connect(
    address: Address, name: str, on_push: Push | None = None, on_refused: OnRefused | None = None
) -> Connection:
    """Connect, log in, choose the database and return the connection; `name` is what `CLIENT LIST` shows.

    Raises:
        OSError: no connection; its text says why.
        CommandRefused: the server does not take the login, or is still loading its data.
    """
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(
        lambda: Connection(on_push, on_refused), address.host, address.port, ssl=address.tls_context()
    )
    try:
        await _log_in(connection, address, name)
    except BaseException:
        # Whatever ends the login, also cancellation, must not leave the socket open.
        connection.abort()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(connection.lost)
        raise
    return connection


async def _log_in(connection: Connection, address: Address, name: str) -> None:
    login = ("AUTH", address.user or "default", address.password) if address.password is not None else ()
    await connection.call("HELLO", 3, *login, "SETNAME", name.replace(" ", "-"))
    if address.db:
        await connection.call("SELECT", address.db)
    # A server that is still loading its data greets already, but does nothing else yet. One that cannot save (MISCONF)
    # or runs a script (BUSY) refuses a PING as well, but not what only reads.
    try:
        await connection.call("PING")
    except CommandRefused as refused:
        if refused.code not in ("MISCONF", "BUSY"):
            raise


def into(answer: "asyncio.Future[Any]") -> ReplySink:
    """Return a sink that settles a future with its reply."""

    def settle(reply: Any) -> None:
        if answer.done():
            return
        if isinstance(reply, CommandRefused | Disconnected):
            answer.set_exception(reply)
        else:
            answer.set_result(reply)

    return settle


def _give_up(sinks: Sequence[ReplySink | None]) -> None:
    for sink in sinks:
        if sink is not None:
            sink(Disconnected("the connection to Redis ended"))
