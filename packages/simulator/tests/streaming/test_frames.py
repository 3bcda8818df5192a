"""WebSocket frames as a server writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace_simulator.streaming.frames import ping_frame, pong_frame, text_frame


def _payload_of(frame: bytes) -> bytes:
    length, start = frame[1], 2
    if length == 126:
        length, start = int.from_bytes(frame[2:4], "big"), 4
    elif length == 127:
        length, start = int.from_bytes(frame[2:10], "big"), 10
    assert len(frame) == start + length
    return frame[start:]


@given(st.one_of(st.binary(max_size=300), st.integers(65_530, 65_540).map(bytes)))
def test_a_text_frame_holds_its_payload_whatever_the_length(payload: bytes) -> None:
    """Each of the three forms of length leads a reader to exactly the payload."""
    frame = text_frame(payload)
    assert frame[0] == 0x81
    assert _payload_of(frame) == payload


@pytest.mark.parametrize(("size", "header"), [(125, 2), (126, 4), (65_535, 4), (65_536, 10)])
def test_the_shortest_form_of_length_is_used(size: int, header: int) -> None:
    """RFC 6455 demands the minimal number of bytes for a length."""
    assert len(text_frame(bytes(size))) == header + size


def test_ping_and_pong_differ_in_their_opcode_only() -> None:
    """A pong carries the payload of its ping."""
    assert ping_frame(b"17") == b"\x89\x0217"
    assert pong_frame(b"17") == b"\x8a\x0217"


def test_a_control_frame_over_125_bytes_is_refused() -> None:
    """Longer control frames are forbidden by the protocol."""
    with pytest.raises(ValueError, match="125"):
        ping_frame(bytes(126))
