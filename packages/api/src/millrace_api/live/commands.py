"""What one client sends: carried out in order, at the rate of its tenant. What comes faster stays in its socket.

A command costs more than its bytes, so a client that sends as fast as it can would take the time of all others.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from picows import WSMsgType

from millrace_api.live.client import Client

if TYPE_CHECKING:
    from millrace_api.live.hub import Hub

MOST_WAITING: Final = 16
"""Commands that may wait until no more are read; those that are in the same piece of the socket wait too."""


class Commands:
    """The commands and pings of one client."""

    def __init__(self, hub: "Hub", client: Client, pong: Callable[[bytes], None], read: Callable[[bool], None]) -> None:
        """`read` says whether more is to be read from the socket."""
        self._hub, self._client, self._pong, self._read = hub, client, pong, read
        self._waiting: deque[tuple[WSMsgType, bytes]] = deque()
        self._is_working = False
        self._is_reading = True

    def add(self, kind: WSMsgType, payload: bytes) -> None:
        """Take a frame."""
        self._waiting.append((kind, payload))
        if not self._is_working:
            self._is_working = True
            self._hub.spawn(self._work(), self._client)
        if self._is_reading and len(self._waiting) > MOST_WAITING:
            self._is_reading = False
            self._read(False)

    async def _work(self) -> None:
        while self._waiting and not self._client.is_closed:
            await self._client.writable()
            await asyncio.sleep(self._hub.budget.command(self._client.principal.tenant))
            kind, payload = self._waiting.popleft()
            if self._client.is_closed:
                break
            if kind == WSMsgType.TEXT:
                self._hub.execute(self._client, payload)
            elif kind == WSMsgType.PING:
                self._pong(payload)
        self._is_working = False
        if not self._is_reading:
            self._is_reading = True
            self._read(True)
