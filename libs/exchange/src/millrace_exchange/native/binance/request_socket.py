"""One socket to Binance's WebSocket API: requests go out, and each is answered under its number.

Source: web-socket-api.md, "Request format", "Response format".
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Final

import msgspec
from picows import WSAutoPingStrategy, WSCloseCode, WSError, WSFrame, WSListener, WSMsgType, WSTransport

from millrace_core.json_problems import UNREADABLE
from millrace_exchange.ccxt.recording.sending import stamp
from millrace_exchange.native.connecting import connected
from millrace_exchange.native.text_messages import TextMessages

_TEXT: Final = WSMsgType.TEXT
_PING_S: Final = 5.0
"""How long it may bring nothing before it is asked whether it lives, and how long the answer may take."""
_CLOSE_TIMEOUT_S: Final = 0.5
_SHUTDOWN: Final = "serverShutdown"
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


class RequestSocket(WSListener):
    """Carries requests until it ends, once. What is under way then has no answer."""

    def __init__(self) -> None:
        self.expiring = asyncio.Event()
        """Set when it must be replaced: the exchange says that it ends it soon, or it has ended."""
        self._messages = TextMessages()
        self._transport: WSTransport | None = None
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._number = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def is_open(self) -> bool:
        """Tell whether a request can be sent."""
        return self._transport is not None and not self._transport.is_disconnected

    async def connect(self, url: str) -> None:
        """Connect.

        Raises:
            OSError, WSError: it cannot be.
        """
        await connected(
            self,
            url,
            auto_ping_strategy=WSAutoPingStrategy.PING_WHEN_IDLE,
            auto_ping_idle_timeout=_PING_S,
            auto_ping_reply_timeout=_PING_S,
        )

    async def ask(self, write: Callable[[int], bytes], *, changes: bool) -> dict[str, Any]:
        """Send the request that `write` makes with a number; return the frame that answers it.

        Raises:
            ConnectionError: the socket ended before the answer came.
        """
        transport, number = self._transport, self._number + 1
        frame = write(number)
        if transport is None or transport.is_disconnected:
            raise ConnectionError("the connection for requests has ended")
        stamp(changes=changes)
        self._number = number
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        self._idle.clear()
        try:
            transport.send(_TEXT, frame)
            return await answer
        finally:
            del self._answers[number]
            if not self._answers:
                self._idle.set()

    async def retire(self, patience_s: float) -> None:
        """Close it once nothing is under way any more, or after `patience_s`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await self._idle.wait()
        await self.close()

    async def close(self) -> None:
        """End it in order, within half a second."""
        transport = self._transport
        if transport is None or transport.is_disconnected:
            return
        transport.send_close(WSCloseCode.OK)
        transport.disconnect()
        with contextlib.suppress(TimeoutError, WSError):
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await transport.wait_disconnected()

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Begin."""
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take one frame. One that is no answer to any request ends the connection: nobody knows whose it is."""
        if frame.msg_type is WSMsgType.CLOSE:
            transport.disconnect()
            return
        if (message := self._messages.ended_by(frame)) is None:
            return
        try:
            self._take(_decode(message))
        except UNREADABLE as error:
            self._end(f"the exchange sent what cannot be read: {error}")
            transport.disconnect(graceful=False)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Learn that the socket is gone."""
        self._end("the exchange ended the connection")

    def _take(self, content: dict[str, Any]) -> None:
        event = content.get("event")
        if isinstance(event, dict):
            if event.get("e") == _SHUTDOWN:
                self.expiring.set()
            return
        number = content.get("id")
        if type(number) is not int or not 0 < number <= self._number or type(content.get("status")) is not int:
            raise msgspec.ValidationError("an answer to no request")
        answer = self._answers.get(number)
        # The sender may have given up, and an answer may come twice.
        if answer is not None and not answer.done():
            answer.set_result(content)

    def _end(self, reason: str) -> None:
        self.expiring.set()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(ConnectionError(f"no answer: {reason}"))
