"""WebSocket frames as a server writes them: RFC 6455 §5.2, unmasked, never compressed.

A server's frame is the same bytes for every client, so an event is framed once and written to all of its subscribers.
"""

from __future__ import annotations

import struct
from enum import IntEnum

_FINAL_TEXT = 0x81
_FINAL_PING = 0x89
_FINAL_PONG = 0x8A

_MAX_CONTROL_PAYLOAD = 125


class CloseCode(IntEnum):
    """Why a server ends a connection: RFC 6455 §7.4.1."""

    GOING_AWAY = 1001
    POLICY_VIOLATION = 1008


def text_frame(payload: bytes) -> bytes:
    """Return the frame of one whole text message; `payload` is its UTF-8."""
    return _header(_FINAL_TEXT, len(payload)) + payload


def payload_of(frame: bytes) -> bytes:
    """Return the payload of a frame of `text_frame`."""
    return frame[{126: 4, 127: 10}.get(frame[1], 2) :]


def ping_frame(payload: bytes) -> bytes:
    """Return a ping whose payload the client must send back in its pong."""
    return _control_frame(_FINAL_PING, payload)


def pong_frame(payload: bytes) -> bytes:
    """Return the answer to a client's ping: `payload` is the ping's own."""
    return _control_frame(_FINAL_PONG, payload)


def _control_frame(first: int, payload: bytes) -> bytes:
    if len(payload) > _MAX_CONTROL_PAYLOAD:
        raise ValueError(f"a control frame carries at most {_MAX_CONTROL_PAYLOAD} bytes, not {len(payload)}")
    return bytes((first, len(payload))) + payload


def _header(first: int, length: int) -> bytes:
    if length < 126:
        return bytes((first, length))
    if length < 1 << 16:
        return struct.pack(">BBH", first, 126, length)
    return struct.pack(">BBQ", first, 127, length)
