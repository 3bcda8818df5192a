"""The lines of a recording: JSON, one message each, so that a reader never holds more than one. Pure.

    {"recording":1,"at":1763800000000000000,"millrace":"0.9.0"}
    {"stream":0,"name":"stream.StrankaXY.binance.watchOrderBook.KCS/USDT"}
    [0,1763800000125460000,"1763800000000-42",{"id":"1763800000000-42","type":"delta",…}]
    {"gap":0,"at":1763800000225460000,"epoch":1763800000000,"firstSeq":43,"lastSeq":44,"reason":"…"}
    {"end":1763800060000000000,"messages":1234}

The first line says what the file is. A stream is named before its first message. A message is its stream's number, when
it arrived (wall clock of the recorder, ns), its id in the journal, and its bytes. Times never fall. Without the last
line the recording was cut off.
"""

from typing import Final

import msgspec

from millrace_core.json_problems import UNREADABLE

VERSION: Final = 1


class RecordingBegins(msgspec.Struct, frozen=True):
    """The first line."""

    recording: int
    """The version of the format."""
    at: int
    """When the recording began, ns."""
    millrace: str


class StreamNamed(msgspec.Struct, frozen=True):
    """The number by which the lines that follow call a stream."""

    stream: int
    name: str


class GapRecorded(msgspec.Struct, frozen=True, rename="camel"):
    """Messages of a stream that its journal no longer held."""

    gap: int
    """The stream's number."""
    at: int
    """When it was noticed, ns."""
    epoch: int
    first_seq: int
    last_seq: int
    """Below `first_seq` where it is not known how many are missing, or whether any is."""
    reason: str

    @property
    def missing(self) -> int:
        """Return the number of messages that are known to be missing."""
        return self.last_seq - self.first_seq + 1


class RecordingEnds(msgspec.Struct, frozen=True):
    """The last line of a recording that was ended in order."""

    end: int
    """When it ended, ns."""
    messages: int


class RecordedMessage(msgspec.Struct, frozen=True, array_like=True):
    """One message of a stream."""

    stream: int
    at: int
    """When it arrived, ns."""
    id: str
    """Its id in the journal: its own, of a request to trade that of Redis."""
    body: msgspec.Raw
    """The message as it travelled; a text if it was not JSON."""


Line = RecordingBegins | StreamNamed | GapRecorded | RecordingEnds | RecordedMessage

_encoder: Final = msgspec.json.Encoder()
_KINDS: Final[tuple[tuple[bytes, type[Line]], ...]] = (
    (b'{"recording"', RecordingBegins),
    (b'{"stream"', StreamNamed),
    (b'{"gap"', GapRecorded),
    (b'{"end"', RecordingEnds),
)
MESSAGE_BEGINS: Final = b"["
"""How the line of a message begins, and no other."""
parse_message: Final = msgspec.json.Decoder(RecordedMessage).decode
"""Return the message of a line that begins so; raises what `UNREADABLE` names."""


def line_of(line: Line) -> bytes:
    """Return the bytes of a line, with its end."""
    return _encoder.encode(line) + b"\n"


def message_line(stream: int, at_ns: int, entry_id: str, body: bytes | None) -> bytes:
    """Return the line of a message. What is not JSON becomes a text; a body in several lines becomes one."""
    return b'[%d,%d,"%b",%b]\n' % (stream, at_ns, entry_id.encode(), _one_line(body or b""))


def message_begins(stream: int) -> bytes:
    """Return what the lines of a stream's messages have before their first comma."""
    return b"[%d" % stream


def parse_line(raw: bytes) -> Line:
    """Return a line.

    Raises:
        ValueError: it is no line of a recording.
    """
    try:
        if raw.startswith(MESSAGE_BEGINS):
            return parse_message(raw)
        for start, kind in _KINDS:
            if raw.startswith(start):
                return msgspec.json.decode(raw, type=kind)
    except UNREADABLE as error:
        raise ValueError(str(error)) from error
    raise ValueError("it is no line of a recording")


def _one_line(body: bytes) -> bytes:
    if b"\n" not in body and body.startswith(b"{") and _is_json(body):
        return body
    if _is_json(body):
        return msgspec.json.format(body, indent=-1)
    return msgspec.json.encode(body.decode(errors="replace"))


def _is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except UNREADABLE:
        return False
    return True
