"""What a client sends with a question, and that it has left, noticed while the answer is worked out."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from starlette.types import Message, Receive

_KEPT: Final = 16
"""Messages that wait to be read; a client that sends more of a body than is asked for has to wait."""


class Incoming:
    """The messages of one request: all but the last are its body, the last says that the client has left."""

    def __init__(self, receive: Receive, on_left: Callable[[], None]) -> None:
        """`on_left` is called when the client leaves during the block."""
        self._receive, self._on_left = receive, on_left
        self._messages: asyncio.Queue[Message] = asyncio.Queue(_KEPT)
        self._reading: asyncio.Task[None] | None = None
        self.has_left = False

    async def __aenter__(self) -> Self:
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reading is not None:
            self._reading.cancel()

    async def __call__(self) -> Message:
        """Return the next message, as the server would."""
        return await self._messages.get()

    async def _read(self) -> None:
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.has_left = True
                self._on_left()
            await self._messages.put(message)
            if self.has_left:
                return
