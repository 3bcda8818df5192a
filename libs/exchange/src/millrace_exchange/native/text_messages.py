"""Puts text messages together. The other end, or what lies between, may send one in several frames.

Source: RFC 6455, section 5.4, "Fragmentation".
"""

from typing import Final

from picows import WSFrame, WSMsgType

_TEXT: Final = WSMsgType.TEXT


class TextMessages:
    """The text messages of one connection."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        """Of a message whose last frame has not come."""

    def ended_by(self, frame: WSFrame) -> bytes | None:
        """Return the message that a frame ends; None if it is of another kind, or more of the message follows."""
        if frame.msg_type is _TEXT:
            if frame.fin:
                return frame.get_payload_as_bytes()
            self._parts = [frame.get_payload_as_bytes()]
        elif frame.msg_type is WSMsgType.CONTINUATION and self._parts:
            self._parts.append(frame.get_payload_as_bytes())
            if frame.fin:
                parts, self._parts = self._parts, []
                return b"".join(parts)
        return None
