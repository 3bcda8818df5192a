"""WebSocket frames as they travel: split from bytes, and made of text."""

from collections.abc import Iterator
from typing import NamedTuple

TEXT, CLOSE = 0x1, 0x8
_CONTINUATION = 0x0
_FINAL, _MASKED = 0x80, 0x80


class Frame(NamedTuple):
    """One frame."""

    opcode: int
    payload: bytes
    raw: bytes
    """As it came."""

    @property
    def is_text(self) -> bool:
        """Tell whether it is a whole text message."""
        return self.opcode == TEXT and bool(self.raw[0] & _FINAL)


class FrameReader:
    """Splits what one end sends into frames."""

    def __init__(self) -> None:
        self._buffer = b""

    def read(self, data: bytes) -> Iterator[Frame]:
        """Return the frames that are complete with these bytes."""
        data = self._buffer + data if self._buffer else data
        begin = 0
        while (frame := _first(data, begin)) is not None:
            begin += len(frame.raw)
            self._buffer = data[begin:]
            yield frame
        self._buffer = data[begin:]


def text_frames(text: str, count: int = 1) -> bytes:
    """Return a server's frame of a text, in as many fragments as are wanted."""
    payload, step = text.encode(), -(-len(text.encode()) // count)
    parts = [payload[begin : begin + step] for begin in range(0, len(payload), step)] or [b""]
    frames = [_framed(_CONTINUATION if number else TEXT, part) for number, part in enumerate(parts)]
    return b"".join(bytes((frame[0] & ~_FINAL,)) + frame[1:] for frame in frames[:-1]) + frames[-1]


def close_frame(code: int) -> bytes:
    """Return a server's frame that ends a connection."""
    return _framed(CLOSE, code.to_bytes(2, "big"))


def _framed(opcode: int, payload: bytes) -> bytes:
    length = len(payload)
    if length < 126:
        return bytes((_FINAL | opcode, length)) + payload
    if length < 1 << 16:
        return bytes((_FINAL | opcode, 126)) + length.to_bytes(2, "big") + payload
    return bytes((_FINAL | opcode, 127)) + length.to_bytes(8, "big") + payload


def _first(data: bytes, begin: int) -> Frame | None:
    """Return the frame that begins at a place, if it is complete."""
    if len(data) < begin + 2:
        return None
    head, length = begin + 2, data[begin + 1] & 0x7F
    if length >= 126:
        digits = 2 if length == 126 else 8
        if len(data) < head + digits:
            return None
        length, head = int.from_bytes(data[head : head + digits], "big"), head + digits
    mask = data[head : head + 4] if data[begin + 1] & _MASKED else b""
    payload = head + len(mask)
    if len(data) < payload + length:
        return None
    content = data[payload : payload + length]
    if mask and length:
        content = _unmasked(content, mask)
    return Frame(data[begin] & 0x0F, content, data[begin : payload + length])


def _unmasked(content: bytes, mask: bytes) -> bytes:
    length = len(content)
    pattern = (mask * (length // 4 + 1))[:length]
    return (int.from_bytes(content, "big") ^ int.from_bytes(pattern, "big")).to_bytes(length, "big")
