"""What one client sends: carried out in order, at the rate of its tenant. What comes faster stays in its socket.

A command costs more than its bytes, so a client that sends as fast as it can would take the time of all others.
"""

import asyncio
import time
from collections import deque
from math import inf
from typing import TYPE_CHECKING, Final, Protocol

from picows import WSMsgType

from millrace_api.live.client import NOT_ALLOWED, Client

if TYPE_CHECKING:
    from millrace_api.live.hub import Hub

MOST_WAITING: Final = 16
"""Commands that may wait until no more are read; those that are in the same piece of the socket wait too."""
FLOODED_S: Final = 20.0
"""A client whose commands come faster than they may be carried out for this long is disconnected."""
_AT_ONCE_S: Final = 1.0
"""Commands that are there so soon after others were carried out had been waiting."""


class CommandSocket(Protocol):
    """The socket on which commands come."""

    def read(self, *, is_wanted: bool) -> None:
        """Read on, or no more for now."""

    def pong(self, payload: bytes) -> None:
        """Answer a ping."""


class Commands:
    """The commands and pings of one client."""

    def __init__(self, hub: "Hub", client: Client, socket: CommandSocket) -> None:
        self._hub, self._client, self._socket = hub, client, socket
        self._waiting: deque[tuple[WSMsgType, bytes]] = deque()
        self._work: asyncio.Task[None] | None = None
        self._is_reading = True
        self._resumed_s = self._behind_since_s = -inf

    def add(self, kind: WSMsgType, payload: bytes) -> None:
        """Take a frame."""
        self._waiting.append((kind, payload))
        if self._work is None:
            self._work = self._hub.spawn(self._carry_out(), self._client)
        if self._is_reading and len(self._waiting) > MOST_WAITING:
            self._is_reading = False
            self._socket.read(is_wanted=False)
            if (now_s := time.monotonic()) - self._resumed_s > _AT_ONCE_S:
                self._behind_since_s = now_s

    def drop(self) -> None:
        """Forget what waits: the client is gone."""
        self._waiting.clear()
        if self._work is not None:
            self._work.cancel()

    async def _carry_out(self) -> None:
        while self._waiting and not self._client.is_closed:
            await self._client.writable()
            await asyncio.sleep(self._hub.budget.command(self._client.principal.tenant))
            if self._client.is_closed:
                break
            if not self._is_reading and time.monotonic() - self._behind_since_s > FLOODED_S:
                # It may have left long ago: that shows once all that it had sent is read, which takes minutes.
                self._client.disconnect(NOT_ALLOWED, f"commands came too fast for {FLOODED_S:.0f} s")
                break
            kind, payload = self._waiting.popleft()
            if kind == WSMsgType.TEXT:
                self._hub.execute(self._client, payload)
            elif kind == WSMsgType.PING:
                self._socket.pong(payload)
        self._work = None
        if not self._is_reading:
            self._is_reading = True
            self._resumed_s = time.monotonic()
            self._socket.read(is_wanted=True)
