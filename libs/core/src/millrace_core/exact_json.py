"""JSON whose numbers are floats here, and keep every digit: see `millrace_core.decimals.ExactFloat`. Pure."""

import re
from typing import Any, Final, TypeVar, cast

import msgspec

from millrace_core.decimals import ExactFloat, number, spelled
from millrace_core.errors import InvalidMessage
from millrace_core.json_problems import UNREADABLE, problem_of

_T = TypeVar("_T")

_KINDS: Final = bytes.maketrans(b"123456789.", b"0" * 10)
_LONG: Final = b"0" * 16
"""As many figures in a row as a number has at least that a float may not hold.

With fewer, only numbers below 1e-300 may be rounded, which no exchange has.
"""
_FIGURES: Final = bytes.maketrans(b"123456789E", b"000000000e")
_EXPONENT: Final = b"0e"
_LARGEST_SPELLED: Final = 1_048_576
"""Bytes; numbers are some times as long without their exponents, and may fill a text that another program wrote."""
_TOKEN: Final = re.compile(
    rb'"[^"\\]*(?:\\.[^"\\]*)*"|(?P<number>-?[0-9]+(?:\.[0-9]+)?[eE][+-]?[0-9]{1,2}(?![0-9]))', re.DOTALL
)
"""A string, or a number with an exponent that numbers of exchanges have."""
_decoder: Final[msgspec.json.Decoder[Any]] = msgspec.json.Decoder(float_hook=number)

decode = _decoder.decode
"""Return JSON without a type, its numbers exact."""


def without_exponents(text: bytes) -> bytes:
    """Return JSON with the same numbers, spelled without exponents; those of more than 99 and strings stay.

    A text of more than 1 MiB stays as it is.
    """
    if len(text) > _LARGEST_SPELLED or _EXPONENT not in text.translate(_FIGURES):
        return text
    return _TOKEN.sub(_spelled, text)


def _spelled(token: "re.Match[bytes]") -> bytes:
    return token[0] if token["number"] is None else spelled(token[0].decode()).encode()


def digits_of(value: Any) -> msgspec.Raw:
    """Return the JSON of an exact float: the hook of encoders, which know only floats themselves.

    Raises:
        TypeError: it is something else.
    """
    if isinstance(value, ExactFloat):
        return msgspec.Raw(value.digits)
    raise TypeError(f"objects of type {type(value).__name__} are no JSON")


def may_be_rounded(data: bytes) -> bool:
    """Tell whether JSON may hold a number with more digits than its float; far cheaper than looking at each number."""
    return _LONG in data.translate(_KINDS)


def exactly(value: _T, data: bytes | msgspec.Raw) -> _T:
    """Return a value that was decoded from JSON, with an `ExactFloat` where a number has more digits than its float.

    The value may be made of structs, lists, tuples and dictionaries. It is returned as it is where every float prints
    the digits that came.

    Raises:
        InvalidMessage: the JSON holds something that cannot be read, which the value's type ignores.
    """
    if not may_be_rounded(bytes(data)):
        return value
    try:
        return cast(_T, _exact(value, decode(data)))
    except (*UNREADABLE, ValueError) as error:
        raise InvalidMessage((problem_of(error),)) from error


def _exact(value: Any, read: Any) -> Any:
    """Return a value with the numbers of what was read from the same JSON without its type."""
    if isinstance(value, float):
        return read if isinstance(read, float) else number(str(read))
    if isinstance(value, msgspec.Struct):
        fields = zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True)
        changed = {name: _exact(getattr(value, name), read[key]) for name, key in fields if key in read}
        return msgspec.structs.replace(value, **changed)
    if isinstance(value, dict):
        return {key: _exact(each, read[key]) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_exact(each, was) for each, was in zip(value, read, strict=True))
    return value
