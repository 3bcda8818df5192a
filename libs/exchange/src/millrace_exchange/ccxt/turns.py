"""Divides the event loop's time among sockets, so that other work has its turn whatever arrives.

ccxt handles everything that has arrived on a socket at once. Under overload that takes a second on each of a hundred
sockets: meanwhile no heartbeat is sent, no request ends, and the process does not react to the wish to end.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final
from weakref import WeakKeyDictionary

from ccxt.async_support.base.ws.client import MSG_SIZE_OVERHEAD

TURN_S: Final = 0.01
"""How long all sockets together may take of one turn of the event loop; each may handle one message at least."""


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
    """Have a connection of ccxt's handle what has arrived in several turns of the event loop."""
    loop = client.asyncio_loop
    turn = _turns.setdefault(loop, Turn(loop))
    receive_the_last: Callable[[], None] = client.receive_loop

    def receive() -> None:
        if not client.closed() and _handle_some(client, turn):
            loop.call_soon(receive)
        else:
            receive_the_last()

    client.receive_loop = receive


def _handle_some(client: Any, turn: Turn) -> bool:
    """Handle messages until the turn is over or one is left, which ccxt handles itself; tell whether more are left."""
    buffer = client.buffer
    handled_size = 0
    try:
        while buffer is not None and len(buffer) > 1:
            message, size = buffer.popleft()
            handled_size += size + MSG_SIZE_OVERHEAD
            client.handle_message(message)
            if turn.is_over():
                break
    finally:
        if handled_size and buffer:
            # aiohttp reads on once the sizes of what was taken out of its queue are subtracted with the last one.
            message, size = buffer[0]
            buffer[0] = (message, size + handled_size)
    return buffer is not None and len(buffer) > 1
