"""The WebSocket itself: uvicorn hands the connection over, the gate decides, picows carries the frames.

An ASGI WebSocket costs a task switch and several copies a message; 200 clients on one busy book need that message
written 200 times. So uvicorn's own hook for WebSocket protocols leads here, and ASGI is left out.
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from typing import Any, ClassVar, cast

import h11
from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest
from picows.api import WSAutoPingStrategy, WSProtocol  # type: ignore[attr-defined]  # not in its type stubs
from uvicorn.protocols.websockets.auto import AutoWebSocketsProtocol

from millrace_api.access.audit import NOBODY
from millrace_api.access.principal import Principal
from millrace_api.live.client import FULL_BYTES, Client
from millrace_api.problems import Refusal
from millrace_api.services import Services

PATH = "/api/v1/live"
MAX_COMMAND = 64_000
KERNEL_BYTES = 128_000
_PING_S = 20.0
_log = logging.getLogger("millrace.live")


class LiveListener(WSListener):
    """One client's socket: a `Sink`."""

    def __init__(self, services: Services, principal: Principal, address: str) -> None:
        self._hub = services.hub
        self._client = Client(principal, address, self, services.metrics)
        self._transport: WSTransport | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The client may speak."""
        self._transport = transport
        transport.underlying_transport.set_write_buffer_limits(high=FULL_BYTES, low=FULL_BYTES // 4)
        # The kernel's own buffer would grow to megabytes for each client that does not read, and what is in it is old.
        connection = transport.underlying_transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)
        self._hub.join(self._client)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take what the client says."""
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(WSCloseCode.OK)
            transport.disconnect()
        elif frame.msg_type == WSMsgType.TEXT and frame.fin:
            self._hub.take(self._client, frame.get_payload_as_bytes())
        elif frame.msg_type not in (WSMsgType.PING, WSMsgType.PONG):
            transport.send_close(WSCloseCode.UNSUPPORTED_DATA, b"commands are text, each in one frame")
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """The client is gone."""
        self._hub.leave(self._client)

    def pause_writing(self) -> None:
        """More waits for the client than may."""
        self._client.filled()

    def resume_writing(self) -> None:
        """The client has read most of it."""
        self._client.drained()

    def send(self, message: bytes) -> None:
        """Send a text message."""
        if self._transport is not None:
            self._transport.send(WSMsgType.TEXT, message)

    def close(self, code: int, reason: str) -> None:
        """Say why, and close; a client that does not read cannot keep what waits for it in memory."""
        if self._transport is not None:
            self._transport.send_close(WSCloseCode(code), reason.encode())
            self._transport.disconnect(graceful=not self._client.is_full)


class SocketProtocol(asyncio.Protocol):
    """What uvicorn makes for each request to upgrade; `serving` gives the class bound to its services."""

    services: ClassVar[Services]

    def __init__(self, config: Any, server_state: Any, app_state: Any) -> None:
        self._made_from = {"config": config, "server_state": server_state, "app_state": app_state}
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection over."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Take the request, which uvicorn gives whole."""
        if self._transport is None or self._task is not None:
            return
        # Until it is decided who serves the connection, nothing more is read from it.
        self._transport.pause_reading()
        self._task = asyncio.get_running_loop().create_task(self._decide(data, self._transport))

    def connection_lost(self, exc: Exception | None) -> None:
        """The client left before it was admitted."""
        if self._task is not None:
            self._task.cancel()

    async def _decide(self, data: bytes, transport: asyncio.Transport) -> None:
        request = _request(data)
        if request.target.partition(b"?")[0] != PATH.encode():
            self._pass_on(data, transport)
            return
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in request.headers}
        address = (transport.get_extra_info("peername") or (NOBODY,))[0]
        gate, principal = self.services.gate, None
        try:
            principal = await gate.identify(headers, _cookies(headers))
            gate.admit(principal, headers, "GET", is_socket=True)
            self.services.hub.check_room(principal)
        except Refusal as refusal:
            await self._turn_away(transport, refusal, principal, address)
            return
        _hand_over(transport, data, lambda _: LiveListener(self.services, principal, address))

    def _pass_on(self, data: bytes, transport: asyncio.Transport) -> None:
        """Leave any other WebSocket, such as the console's, to the application."""
        if AutoWebSocketsProtocol is None:
            transport.write(_raw(Refusal(404, f"the only WebSocket here is {PATH}")))
            transport.close()
            return
        protocol = AutoWebSocketsProtocol(**self._made_from)
        protocol.connection_made(transport)
        protocol.data_received(data)
        transport.set_protocol(protocol)
        transport.resume_reading()

    async def _turn_away(
        self, transport: asyncio.Transport, refusal: Refusal, principal: Principal | None, address: str
    ) -> None:
        gate = self.services.gate
        try:
            gate.failed(address)
            await gate.audit.record(
                action=f"GET {PATH}",
                outcome="denied",
                tenant=principal.tenant if principal else NOBODY,
                actor=principal.token_id if principal else NOBODY,
                address=address,
                detail={"reason": str(refusal)},
            )
        except Refusal as too_many:
            refusal = too_many
        transport.write(_raw(refusal))
        transport.close()


def serving(services: Services) -> type[SocketProtocol]:
    """Return the class that uvicorn makes protocols of."""
    return type("BoundSocketProtocol", (SocketProtocol,), {"services": services})


def _hand_over(
    transport: asyncio.Transport, request: bytes, make_listener: Callable[[WSUpgradeRequest], LiveListener]
) -> None:
    """Have picows serve the connection, beginning with the request as the client sent it.

    picows makes its protocol only for sockets that it listens on itself; the positions are those of its
    `ws_create_server`.
    """
    protocol = WSProtocol(
        None, None, False, make_listener, _log, True, 5, True, _PING_S, _PING_S,
        WSAutoPingStrategy.PING_WHEN_IDLE, True, MAX_COMMAND, None, 4096,
    )  # fmt: skip
    protocol.connection_made(transport)
    rest = memoryview(request)
    while rest:
        buffer = protocol.get_buffer(-1)
        size = min(len(buffer), len(rest))
        buffer[:size] = rest[:size]
        protocol.buffer_updated(size)
        rest = rest[size:]
    transport.set_protocol(protocol)
    transport.resume_reading()


def _request(data: bytes) -> h11.Request:
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(data)
    return cast(h11.Request, connection.next_event())


def _cookies(headers: dict[str, str]) -> dict[str, str]:
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(headers.get("cookie", "")).items()}
    except CookieError:
        return {}


def _raw(refusal: Refusal) -> bytes:
    """Return a refusal as the bytes of an HTTP answer."""
    response = refusal.response()
    lines = [f"HTTP/1.1 {refusal.status} {refusal.details.title}".encode()]
    lines += [b"%b: %b" % header for header in response.raw_headers]
    return b"\r\n".join([*lines, b"connection: close", b"", bytes(response.body)])
