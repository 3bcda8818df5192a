"""What is wrong with JSON from outside: every mistake with its path, where a decoder stops at the first one."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from millrace_core.errors import Problem

UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What a JSON decoder raises. `RecursionError`: the JSON is nested too deep to be read."""


def problem_of(error: Exception) -> Problem:
    """Return what a JSON decoder found wrong, and where."""
    if isinstance(error, RecursionError):
        return Problem("$", "is nested too deep")
    text, _, path = str(error).partition(" - at `")
    return Problem(path.rstrip("`") or "$", text)


def fields_of(raw: bytes | msgspec.Raw) -> dict[str, msgspec.Raw]:
    """Return the fields of a JSON object, their values still undecoded.

    Raises:
        Exception: one of `UNREADABLE`; it is not a JSON object.
    """
    return msgspec.json.decode(raw, type=dict[str, msgspec.Raw])


def text_of(raw: msgspec.Raw | None) -> str | None:
    """Return the text that stands in raw JSON; None if something else does."""
    if raw is None:
        return None
    try:
        return msgspec.json.decode(raw, type=str)
    except UNREADABLE:
        return None


def struct_problems(kind: type[msgspec.Struct], fields: dict[str, msgspec.Raw], path: str) -> Iterator[Problem]:
    """Yield every mistake that keeps fields from being a struct of this kind.

    A field that is a struct itself is searched too; what lies deeper is reported up to its first mistake.
    """
    known = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    if kind.__struct_config__.forbid_unknown_fields:
        for name in sorted(fields.keys() - known.keys()):
            yield Problem(f"{path}.{name}", f"is not known here; known are {', '.join(sorted(known))}")
    for name, field in known.items():
        if name in fields:
            yield from _value_problems(fields[name], field.type, f"{path}.{name}")
        elif field.required:
            yield Problem(f"{path}.{name}", "is missing")


def _value_problems(raw: msgspec.Raw, kind: Any, path: str) -> Iterator[Problem]:
    try:
        msgspec.json.decode(raw, type=kind)
    except UNREADABLE as error:
        parts = _object_of(raw) if isinstance(kind, type) and issubclass(kind, msgspec.Struct) else None
        if parts is not None and (inner := list(struct_problems(kind, parts, path))):
            yield from inner
        else:
            first = problem_of(error)
            yield Problem(path + first.path.removeprefix("$"), first.message)


def _object_of(raw: msgspec.Raw) -> dict[str, msgspec.Raw] | None:
    try:
        return fields_of(raw)
    except UNREADABLE:
        return None
