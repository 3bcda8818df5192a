"""An exchange that says whatever a test wants, over a real socket."""

import asyncio
from collections.abc import Callable
from types import TracebackType

from libs.exchange.tests.answers.reply import Reply
from libs.exchange.tests.answers.socket import ScriptedSocket
from picows import WSTransport, ws_create_server


class ScriptedServer:
    """Answers each request with what is set, and remembers the requests."""

    def __init__(self) -> None:
        self.reply = Reply()
        self.answer: Callable[[bytes], Reply] = lambda _: self.reply
        """Chooses the answer to a request: what is set, unless a test has its own rule."""
        self.requests: list[bytes] = []
        """First line and body of each."""
        self.url = ""
        """Where it speaks HTTP."""
        self.socket_url = ""
        """Where it speaks Binance's WebSocket API."""
        self.sockets: list[WSTransport] = []
        """All that were opened there."""

    async def __aenter__(self) -> "ScriptedServer":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        self._socket_server = await ws_create_server(
            lambda _: ScriptedSocket(self._said, self.requests, self.sockets), "127.0.0.1", 0
        )
        self.socket_url = f"ws://127.0.0.1:{self._socket_server.sockets[0].getsockname()[1]}/ws-api/v3"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        self._socket_server.close()

    def _said(self, request: bytes) -> Reply:
        return self.answer(request)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.requests.append(head.split(b"\r\n", 1)[0] + b" " + await reader.readexactly(_length(head)))
                reply = self.answer(self.requests[-1])
                if reply.hangs_up:
                    break
                writer.write(_written(reply))
                if reply.announced is not None:
                    break
        except asyncio.IncompleteReadError:
            pass
        writer.close()


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def _written(reply: Reply) -> bytes:
    length = len(reply.body) if reply.announced is None else reply.announced
    head = f"HTTP/1.1 {reply.status} Said\r\nContent-Type: {reply.content_type}\r\nContent-Length: {length}\r\n"
    return f"{head}{reply.headers}\r\n".encode() + reply.body
