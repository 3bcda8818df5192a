"""How the data of messages is read into the states of streams. Pure."""

from typing import Any, TypeVar

import msgspec

from millrace_core.errors import InvalidMessage, InvalidName, Problem
from millrace_core.exact_json import exactly
from millrace_core.ids import MessageId
from millrace_core.json_problems import UNREADABLE, problem_of

_FIELDS = msgspec.json.Decoder(dict[str, Any])
_T = TypeVar("_T")


class Flawless:
    """A state that nothing but the message ids can prove wrong.

    One that is `exact` holds every number to its last digit (`millrace_core.exact_json`), to be published again or
    shown; another has plain floats.
    """

    def __init__(self, *, exact: bool = False) -> None:
        self._exact = exact

    def _read(self, value: _T, data: msgspec.Raw) -> _T:
        """Return the value of data as the state holds it."""
        return exactly(value, data) if self._exact else value

    def flaw(self) -> str | None:
        """Return None: there is nothing to check."""
        return None


def decode(decoder: "msgspec.json.Decoder[_T]", data: msgspec.Raw) -> _T:
    """Return a message's data.

    Raises:
        InvalidMessage: it is not of its kind.
    """
    try:
        return decoder.decode(data)
    except UNREADABLE as error:
        raise InvalidMessage((problem_of(error),)) from error


def split_as_of(data: msgspec.Raw) -> tuple[dict[str, Any], MessageId]:
    """Return the fields of a snapshot that is one object, and the id of the last message that it includes.

    Raises:
        InvalidMessage: it is no object, or has no such id.
    """
    fields = decode(_FIELDS, data)
    return fields, as_of_id(str(fields.pop("asOf", "")))


def as_of_id(text: str) -> MessageId:
    """Return the id of the last message that a snapshot includes.

    Raises:
        InvalidMessage: the text is not the id of a message.
    """
    try:
        return MessageId.parse(text)
    except InvalidName as error:
        raise InvalidMessage((Problem("$.asOf", str(error)),)) from error
