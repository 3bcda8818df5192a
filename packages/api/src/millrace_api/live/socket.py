"""The WebSocket itself: uvicorn hands the connection over, we authenticate the client, picows carries the frames.

An ASGI WebSocket costs a task switch and several copies per message; 200 clients on one busy book need that message
written 200 times. So uvicorn's own hook for WebSocket protocols leads here, and ASGI is left out.
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any, ClassVar, cast

import h11
from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest
from picows.api import WSAutoPingStrategy, WSProtocol  # type: ignore[attr-defined]  # not in its type stubs

from millrace_api.access.audit import NOBODY, entry
from millrace_api.access.principal import Principal
from millrace_api.live.client import FULL_BYTES, Client
from millrace_api.live.commands import Commands
from millrace_api.problems import ApiError
from millrace_api.services import Services

PATH = "/api/v1/live"
MAX_COMMAND = 64_000
KERNEL_BYTES = 128_000
_COPIED_BYTES = 8_192
"""Messages up to this size picows copies behind their header."""
_HEADER_BYTES = 14
"""Room that picows wants in front of a message for the largest header."""
_PING_S = 20.0
TOO_MANY = 429
_CLOSE_S = 1.0
"""How long a client may take to read why it is disconnected."""
_log = logging.getLogger("millrace.live")
_of_frames = logging.getLogger("millrace.live.frames")
"""picows tells of each wrong piece that a client sends, also of those after the first: too much for a log."""
_of_frames.setLevel(logging.CRITICAL)


class LiveListener(WSListener):
    """One client's socket: a `Sink`."""

    def __init__(self, services: Services, principal: Principal, address: str) -> None:
        self._hub = services.hub
        self._client = Client(principal, address, self, services.metrics)
        self._commands = Commands(self._hub, self._client, self)
        self._transport: WSTransport | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Register the client."""
        self._transport = transport
        transport.underlying_transport.set_write_buffer_limits(high=FULL_BYTES, low=FULL_BYTES // 4)
        # The kernel's own buffer would grow to megabytes for each client that does not read, and what is in it is old.
        connection = transport.underlying_transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BYTES)
        self._hub.join(self._client)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Carry out the command in a frame."""
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(WSCloseCode.OK)
            transport.disconnect()
        elif frame.msg_type in (WSMsgType.TEXT, WSMsgType.PING, WSMsgType.PONG) and frame.fin:
            self._commands.add(frame.msg_type, frame.get_payload_as_bytes())
        else:
            transport.send_close(WSCloseCode.UNSUPPORTED_DATA, b"commands are text, each in one frame")
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Remove the client."""
        self._hub.leave(self._client)
        self._commands.drop()

    def pause_writing(self) -> None:
        """Note that too many bytes wait for the client."""
        self._client.filled()

    def resume_writing(self) -> None:
        """Note that the client has read most of the waiting bytes."""
        self._client.drained()

    def pong(self, payload: bytes) -> None:
        """Answer a ping."""
        if self._transport is not None and not self._client.is_closed:
            self._transport.send_pong(payload)

    def read(self, *, is_wanted: bool) -> None:
        """Read on, or no more for now."""
        if self._transport is not None and not self._client.is_closed:
            connection = self._transport.underlying_transport
            (connection.resume_reading if is_wanted else connection.pause_reading)()

    def send(self, message: bytes) -> None:
        """Send a text message."""
        if self._transport is not None:
            send_text(self._transport, message)

    def close(self, code: int, reason: str) -> None:
        """Send a close frame and disconnect; at once if the client does not read, so that no memory stays in use."""
        if self._transport is not None:
            self._transport.send_close(WSCloseCode(code), reason.encode())
            self._transport.disconnect(graceful=not self._client.is_full)
            # One that does not read would stay, and what it sends would be read.
            asyncio.get_running_loop().call_later(_CLOSE_S, self._transport.underlying_transport.abort)


def send_text(transport: WSTransport, message: bytes) -> None:
    """Send a text message, however many are sent within one turn of the event loop."""
    if len(message) <= _COPIED_BYTES:
        transport.send(WSMsgType.TEXT, message)
        return
    # picows keeps the header of a larger message in a buffer that its next message overwrites, and uvloop reads that
    # buffer only at the end of the turn. So header and message share memory that nothing else uses.
    framed = bytearray(_HEADER_BYTES) + message
    transport.send_reuse_external_bytearray(WSMsgType.TEXT, framed, _HEADER_BYTES)


class SocketProtocol(asyncio.Protocol):
    """Created by uvicorn for each upgrade request; `serving` returns the class bound to its services."""

    services: ClassVar[Services]

    def __init__(self, config: Any, server_state: Any, app_state: Any) -> None:
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over the connection."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Take the request, which uvicorn passes on whole."""
        if self._transport is None or self._task is not None:
            return
        # Nothing more is read until it is decided who serves the connection.
        self._transport.pause_reading()
        self._task = asyncio.get_running_loop().create_task(self._decide(data, self._transport))
        self._task.add_done_callback(self._decided)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop deciding about a client that has left."""
        if self._task is not None:
            self._task.cancel()

    async def _decide(self, data: bytes, transport: asyncio.Transport) -> None:
        address = (transport.get_extra_info("peername") or (NOBODY,))[0]
        try:
            request = _request(data)
        except h11.RemoteProtocolError as error:
            self._reject(transport, ApiError(400, f"not an HTTP request: {error}"), None, address)
            return
        if request.target.partition(b"?")[0] != PATH.encode():
            # A library's own protocol would wait for ever for more of some requests, such as one with a body.
            self._reject(transport, ApiError(404, f"the only WebSocket here is {PATH}"), None, address)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in request.headers}
        authenticator, principal = self.services.authenticator, None
        try:
            principal = await authenticator.identify(headers, address)
            authenticator.admit(principal, headers, "GET", is_socket=True)
            self.services.hub.check_room(principal)
        except ApiError as refusal:
            self._reject(transport, refusal, principal, address)
            return
        _hand_over(transport, data, lambda _: LiveListener(self.services, principal, address))

    def _decided(self, task: "asyncio.Task[None]") -> None:
        """Answer a client whose admission failed with an error; it would wait forever."""
        if task.cancelled() or self._transport is None or (error := task.exception()) is None:
            return
        _log.error("a live connection could not be admitted", exc_info=error)
        self._transport.write(_raw(ApiError(500, "internal error; see the API's log")))
        self._transport.close()

    def _reject(
        self, transport: asyncio.Transport, refusal: ApiError, principal: Principal | None, address: str
    ) -> None:
        authenticator = self.services.authenticator
        try:
            if refusal.status != TOO_MANY:
                # What a good token asks too often for is no mistake of its address, which others may share.
                authenticator.failed(address)
                self._record(refusal, principal, address)
        except ApiError as too_many:
            refusal = too_many
        transport.write(_raw(refusal))
        transport.close()

    def _record(self, refusal: ApiError, principal: Principal | None, address: str) -> None:
        if principal is not None:
            reason = {"reason": str(refusal)}
            self.services.authenticator.refusals.note(principal, address, PATH, f"GET {PATH}", reason)
            return
        self.services.authenticator.trail.add(
            entry(
                action=f"GET {PATH}",
                outcome="denied",
                address=address,
                detail={"reason": str(refusal)},
            )
        )


def serving(services: Services) -> type[SocketProtocol]:
    """Return the protocol class for uvicorn."""
    return type("BoundSocketProtocol", (SocketProtocol,), {"services": services})


def _hand_over(
    transport: asyncio.Transport, request: bytes, make_listener: Callable[[WSUpgradeRequest], LiveListener]
) -> None:
    """Let picows serve the connection, starting with the request as the client sent it.

    picows creates its protocol only for sockets on which it listens itself; the positional arguments are those of
    its `ws_create_server`.
    """
    protocol = WSProtocol(
        None, None, False, make_listener, _of_frames, True, 5, True, _PING_S, _PING_S,
        WSAutoPingStrategy.PING_WHEN_IDLE, False, MAX_COMMAND, None, 4096,
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


def _raw(problem: ApiError) -> bytes:
    """Return a problem as the bytes of an HTTP response."""
    response = problem.response()
    lines = [f"HTTP/1.1 {problem.status} {problem.details.title}".encode()]
    lines += [b"%b: %b" % header for header in response.raw_headers]
    return b"\r\n".join([*lines, b"connection: close", b"", bytes(response.body)])
