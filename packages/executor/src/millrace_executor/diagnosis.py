"""Everything that is wrong with a request, where a decoder stops at the first mistake.

A person who types a request by hand, or writes a client, wants all mistakes at once and where they stand.
"""

from collections.abc import Iterator
from typing import Any, get_args

import msgspec

from millrace_core.errors import MalformedRequest, Problem
from millrace_core.messages import problem_of
from millrace_core.requests import Request, parse_request

_KINDS: dict[str, type[msgspec.Struct]] = {str(kind.__struct_config__.tag): kind for kind in get_args(Request)}
ACTIONS = tuple(_KINDS)
"""What a request may ask for, as it is spelt."""


def problems_of(raw: bytes) -> tuple[Problem, ...]:
    """Return every mistake in a request's bytes; none means that `parse_request` takes it."""
    try:
        fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except msgspec.MsgspecError as error:
        return (problem_of(error),)
    if found := tuple(_shape_problems(fields)):
        return found
    try:
        parse_request(raw)
    except MalformedRequest as error:
        return error.problems
    return ()


def _shape_problems(fields: dict[str, msgspec.Raw]) -> Iterator[Problem]:
    action = text_of(fields.pop("action", None))
    if action not in _KINDS:
        yield Problem("$.action", f"must be one of {', '.join(_KINDS)}")
        return
    yield from _struct_problems(_KINDS[action], fields, "$")


def _struct_problems(kind: type[msgspec.Struct], fields: dict[str, msgspec.Raw], path: str) -> Iterator[Problem]:
    known = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    unknown = fields.keys() - known.keys() if kind.__struct_config__.forbid_unknown_fields else ()
    for name in sorted(unknown):
        yield Problem(f"{path}.{name}", f"is not known here; {_among(known)}")
    for name, field in known.items():
        if name not in fields:
            if field.required:
                yield Problem(f"{path}.{name}", "is missing")
        elif _is_struct(field.type) and (parts := _object_of(fields[name])) is not None and path == "$":
            yield from _struct_problems(field.type, parts, f"{path}.{name}")
        else:
            yield from _value_problems(fields[name], field.type, f"{path}.{name}")


def _value_problems(raw: msgspec.Raw, kind: Any, path: str) -> Iterator[Problem]:
    try:
        msgspec.json.decode(raw, type=kind)
    except msgspec.MsgspecError as error:
        inner = problem_of(error)
        yield Problem(path + inner.path.removeprefix("$"), inner.message)


def _among(known: dict[str, Any]) -> str:
    return f"known are {', '.join(sorted(known))}"


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _object_of(raw: msgspec.Raw) -> dict[str, msgspec.Raw] | None:
    try:
        return msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except msgspec.MsgspecError:
        return None


def text_of(raw: msgspec.Raw | None) -> str | None:
    """Return the text that stands in raw JSON; None where something else does."""
    if raw is None:
        return None
    try:
        return msgspec.json.decode(raw, type=str)
    except msgspec.MsgspecError:
        return None
