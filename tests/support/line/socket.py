"""One client's socket and the one to the exchange that it is passed on to."""

import asyncio
import socket as sockets
import struct
from collections.abc import Sequence
from typing import Protocol

from tests.support.line.frames import FrameReader, close_frame, text_frames


class Passing(Protocol):
    """What decides what is passed on."""

    fragments: int
    """How many fragments each text takes."""

    def passed(self, socket: "Socket", text: str) -> Sequence[str]:
        """Return what arrives in place of a text from the exchange."""

    def said(self, text: str) -> None:
        """Note a text from the client."""

    def ended(self, socket: "Socket") -> None:
        """Note that a socket has ended."""


class Socket:
    """A socket that is relayed; `upstream` is the exchange's end."""

    def __init__(self, client: asyncio.Transport, passing: Passing, path: str) -> None:
        self.path = path
        self.delay_s = 0.0
        """How much later frames from the exchange arrive."""
        self.is_dead = False
        """Whether nothing passes in either direction, though no end hears that it is closed."""
        self.upstream: asyncio.Transport | None = None
        self._client = client
        self._passing = passing
        self._down, self._up = FrameReader(), FrameReader()
        self._is_shaken = False
        self._response = b""
        self._has_ended = False

    def say(self, text: str) -> None:
        """Send a text of our own to the client."""
        self._write(text_frames(text, self._passing.fragments))

    def close(self, code: int = 1012) -> None:
        """End it in order."""
        if not self._client.is_closing():
            self._client.write(close_frame(code))
            self._client.close()
        self.lost()

    def reset(self) -> None:
        """Break it: the client learns by a reset."""
        if (end := self._client.get_extra_info("socket")) is not None:
            # A linger of 0 s turns the close into a reset.
            end.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack("ii", 1, 0))
        self._client.abort()
        self.lost()

    def lost(self) -> None:
        """End both sides, whichever ended first."""
        if self._has_ended:
            return
        self._has_ended = True
        for end in (self._client, self.upstream):
            if end is not None and not end.is_closing():
                end.close()
        self._passing.ended(self)

    def from_client(self, data: bytes) -> None:
        """Pass on what the client sent."""
        if self.is_dead or self.upstream is None:
            return
        for frame in self._up.read(data):
            if frame.is_text:
                self._passing.said(frame.payload.decode())
        self.upstream.write(data)

    def from_exchange(self, data: bytes) -> None:
        """Pass on what the exchange sent: its answer to the handshake, then frames."""
        if not self._is_shaken:
            self._response += data
            head, separator, data = self._response.partition(b"\r\n\r\n")
            if not separator:
                return
            self._is_shaken = True
            self._client.write(head + separator)
        passed = bytearray()
        for frame in self._down.read(data):
            if frame.is_text:
                text = frame.payload.decode()
                for each in self._passing.passed(self, text):
                    is_same = each is text and self._passing.fragments == 1
                    passed += frame.raw if is_same else text_frames(each, self._passing.fragments)
            else:
                passed += frame.raw
        if passed:
            self._write(bytes(passed))

    def _write(self, data: bytes) -> None:
        if self.is_dead:
            return
        if self.delay_s:
            asyncio.get_running_loop().call_later(self.delay_s, self._write_now, data)
        else:
            self._write_now(data)

    def _write_now(self, data: bytes) -> None:
        if not self._client.is_closing():
            self._client.write(data)


class Upstream(asyncio.Protocol):
    """The exchange's end of a socket."""

    def __init__(self, socket: Socket) -> None:
        self._socket = socket

    def data_received(self, data: bytes) -> None:
        """Pass data on."""
        self._socket.from_exchange(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the client's side too, unless the line is dead."""
        if not self._socket.is_dead:
            self._socket.lost()
