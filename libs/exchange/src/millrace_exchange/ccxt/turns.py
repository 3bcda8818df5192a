"""Divides the event loop's time among sockets, so that other work has its turn whatever arrives.

ccxt handles everything that has arrived on a socket at once. Under overload that takes a second on each of a hundred
sockets: meanwhile no heartbeat is sent, no request ends, and the process does not react to the wish to end.
"""

import asyncio
import time
from typing import Any, Final
from weakref import WeakKeyDictionary

from ccxt.base.errors import NetworkError

TURN_S: Final = 0.01
"""How long all sockets together may take of one turn of the event loop; each may handle one message at least."""
ABNORMAL: Final = 1006
"""The code of WebSocket for an end that nobody announced."""


class Turn:
    """The time that sockets may take of the event loop's current turn."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._call_soon = loop.call_soon
        self._ends_at = 0.0
        self._has_begun = False

    def is_over(self) -> bool:
        """Tell whether the sockets have used their time up."""
        if not self._has_begun:
            self._has_begun = True
            self._ends_at = time.monotonic() + TURN_S
            self._call_soon(self._end)
        return time.monotonic() > self._ends_at

    def _end(self) -> None:
        self._has_begun = False


_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, Turn] = WeakKeyDictionary()


def receive_in_turns(client: Any) -> None:
    """Have a connection of ccxt's handle what has arrived in several turns of the event loop.

    One task reads it from its beginning to its end, where ccxt would start one for each message.
    """
    loop: asyncio.AbstractEventLoop = client.asyncio_loop
    turn = _turns.setdefault(loop, Turn(loop))

    def receive() -> None:
        client.reading = loop.create_task(_receive(client, turn), name=f"read {client.url}")
        client.reading.add_done_callback(ended)

    def ended(reading: "asyncio.Task[None]") -> None:
        if reading.cancelled() or (error := reading.exception()) is None:
            return
        if client.error is None:
            client.reject(NetworkError(str(error)))
        else:
            # It is known already that the connection has failed, and this is why.
            loop.call_exception_handler({"message": "a message could not be handled", "exception": error})

    client.receive_loop = receive


async def _receive(client: Any, turn: Turn) -> None:
    """Handle one message after the other until the connection is closed; raise what ends it before."""
    arrived = client.buffer
    while not client.closed():
        client.handle_message(await client.receive())
        if arrived and turn.is_over():
            await asyncio.sleep(0)
    client.on_close(ABNORMAL)
