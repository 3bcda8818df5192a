"""Reading journals' entries: the envelope, where and when it belongs, and what is wrong with one that is no message."""

from typing import TypeVar

import msgspec

from millrace_bus import JournalEntry
from millrace_core.clock import now_ms
from millrace_core.errors import InvalidMessage, Problem
from millrace_core.ids import MessageId
from millrace_core.json_problems import problem_of
from millrace_core.messages import Message, decode
from millrace_store import Place

NS_PER_MS = 1_000_000
DAY_MS = 86_400_000
_ModelT = TypeVar("_ModelT")


def envelope(entry: JournalEntry) -> Message:
    """Read the message of a stream's entry.

    Raises:
        InvalidMessage: it is none, or not the one that the entry's id says.
    """
    message = decode(text_of(entry))
    if message.id != f"{entry.id.epoch}-{entry.id.seq}":
        raise invalid(f"the entry is {entry.id}, and the message in it says {message.id}")
    return message


def text_of(entry: JournalEntry) -> bytes:
    """Return an entry's JSON, surely UTF-8: decoders look only at what they need, and the database at all of it.

    Raises:
        InvalidMessage: there is none, or it is no text.
    """
    if entry.body is None:
        raise invalid("the entry has no field `data`")
    try:
        str(entry.body, "utf-8")
    except UnicodeDecodeError as error:
        raise invalid(str(error)) from error
    return entry.body


def place_of(name: str, message_id: MessageId, message: Message) -> Place:
    """Return where a message belongs: by the time at which it was published.

    An answer carries the trace of what caused it, if anything of ours did: the last that the executor did counts.
    """
    trace = message.trace
    at_ns = trace.acknowledged or trace.sent or trace.accepted or trace.published
    at_ms = message_id.epoch if at_ns is None else at_ns // NS_PER_MS
    return Place(name, message_id, credible(at_ms), message.timestamp)


def credible(at_ms: int) -> int:
    """Return a time as it is, or the present where it is none: rows are kept by their time, so an absurd one hurts."""
    return at_ms if 0 <= at_ms <= (now := now_ms()) + DAY_MS else now


def read(decoder: "msgspec.json.Decoder[_ModelT]", data: msgspec.Raw | bytes) -> _ModelT:
    """Decode data.

    Raises:
        InvalidMessage: it is none of that kind.
    """
    try:
        return decoder.decode(data)
    except msgspec.MsgspecError as error:
        raise InvalidMessage((problem_of(error),)) from error


def invalid(text: str) -> InvalidMessage:
    """Return the error that says what is wrong with a whole message."""
    return InvalidMessage((Problem("$", text),))
