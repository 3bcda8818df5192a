"""Envelopes of journal entries: their message, its stream and time, or the error of a malformed one."""

from typing import TypeVar

import msgspec

from millrace_bus import JournalEntry
from millrace_core.clock import DAY_MS, NS_PER_MS, now_ms
from millrace_core.errors import InvalidMessage, Problem
from millrace_core.ids import MessageId
from millrace_core.json_problems import TOO_DEEP, UNREADABLE, is_too_deep, problem_of
from millrace_core.messages import LARGEST_MESSAGE, Message, decode
from millrace_store import Place

_ModelT = TypeVar("_ModelT")


def envelope(entry: JournalEntry) -> Message:
    """Return the message in an entry of a stream.

    Raises:
        InvalidMessage: the entry holds no message, or one with another id than the entry.
    """
    message = decode(text_of(entry))
    if message.id != f"{entry.id.epoch}-{entry.id.seq}":
        raise invalid(f"the entry's id is {entry.id}, but the message's id is {message.id}")
    return message


def text_of(entry: JournalEntry, largest: int = LARGEST_MESSAGE) -> bytes:
    """Return the JSON of an entry, checked to be UTF-8: decoders check only what they decode, the database all of it.

    Raises:
        InvalidMessage: the entry has no JSON, or more than `largest` bytes, it is not UTF-8, or is nested too deep for
            those who read it later.
    """
    if entry.body is None:
        raise invalid("the entry has no field `data`")
    if len(entry.body) > largest:
        raise invalid(f"is larger than {largest:,} bytes")
    try:
        str(entry.body, "utf-8")
    except UnicodeDecodeError as error:
        raise invalid(str(error)) from error
    if is_too_deep(entry.body):
        raise InvalidMessage((TOO_DEEP,))
    return entry.body


def place_of(name: str, message_id: MessageId, message: Message) -> Place:
    """Return the identity of a message, with the time at which it was published.

    An answer carries the trace of what caused it, so the time of its last hop in the executor counts.
    """
    trace = message.trace
    at_ns = trace.acknowledged or trace.sent or trace.accepted or trace.published
    at_ms = message_id.epoch if at_ns is None else at_ns // NS_PER_MS
    return Place(name, message_id, credible(at_ms), message.timestamp)


def credible(at_ms: int) -> int:
    """Return a time (ms), or now if it is absurd: rows are partitioned and dropped by their time."""
    now = now_ms()
    return at_ms if 0 <= at_ms <= now + DAY_MS else now


def read(decoder: "msgspec.json.Decoder[_ModelT]", data: msgspec.Raw | bytes) -> _ModelT:
    """Return decoded data.

    Raises:
        InvalidMessage: it is not of that type.
    """
    try:
        return decoder.decode(data)
    except UNREADABLE as error:
        raise InvalidMessage((problem_of(error),)) from error


def invalid(text: str) -> InvalidMessage:
    """Return the error about a message as a whole."""
    return InvalidMessage((Problem("$", text),))
