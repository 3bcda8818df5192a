"""Reports every mistake in JSON from outside, with its path; a decoder would stop at the first one."""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final, NoReturn

import msgspec

from millrace_core.errors import Problem

UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What a JSON decoder raises. `RecursionError`: the JSON is nested too deep to be read."""


MAX_DEPTH: Final = 64
"""How deep objects and lists may be nested in what people write: comparing two such values recurses that deep."""
TOO_DEEP: Final = Problem("$", f"objects and lists are nested more than {MAX_DEPTH} deep")
MAX_VALUES: Final = 50_000
"""How many values may stand in what people write: every one may be a mistake, whose report costs time."""
TOO_LARGE: Final = Problem("$", f"more than {MAX_VALUES:,} values: remove what is not needed, or divide it")


def is_too_deep(text: bytes, most: int = MAX_DEPTH) -> bool:
    """Tell whether objects and lists are nested more than `most` deep in a JSON text.

    A decoder accepts what the stack of its caller leaves room for; what is stored is decoded again by others.
    """
    if text.count(b"{") + text.count(b"[") <= most:
        return False
    depth = 0
    for mark in _MARKS.sub(b"", text):
        depth += 1 if mark in b"{[" else -1
        if depth > most:
            return True
    return False


_MARKS: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[^{}\[\]"]++', re.DOTALL)
"""All that nests nothing: strings, and whatever is neither a bracket nor a string."""


class JsonObject(dict[str, Any]):
    """A JSON object that knows its duplicate keys; the last value of each is kept."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        counts = Counter(name for name, _ in pairs) if len(self) < len(pairs) else Counter()
        self.repeated = sorted(name for name, count in counts.items() if count > 1)


def load_json(text: bytes | str) -> Any:
    """Return the value of a JSON text that a person may have written, its objects as `JsonObject`s.

    Bytes are UTF-8; a byte order mark, which some editors write, is passed over.

    Raises:
        ValueError: it is not JSON.
        RecursionError: it is nested too deep to be read.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8-sig")
    return json.loads(text, object_pairs_hook=JsonObject, parse_constant=_refuse_constant)


def silent_mistakes(value: Any) -> Iterator[Problem]:
    """Yield the mistakes in a value of `load_json` that JSON's grammar allows."""
    waiting: list[tuple[str, int, Any]] = [("$", 0, value)]
    seen = 0
    while waiting:
        path, depth, held = waiting.pop()
        seen += 1
        if seen > MAX_VALUES:
            yield TOO_LARGE
            return
        if isinstance(held, float) and not math.isfinite(held):
            yield Problem(path, "is too large")
        elif isinstance(held, str) and not _is_unicode(held):
            yield Problem(path, "contains an unpaired surrogate, which is not valid Unicode")
        elif isinstance(held, JsonObject | list) and depth == MAX_DEPTH:
            yield TOO_DEEP
            return
        elif isinstance(held, JsonObject):
            for name in held.repeated:
                yield Problem(f"{path}.{name}", "duplicate key; keep only one")
            waiting += [(f"{path}.{name}", depth + 1, part) for name, part in held.items()]
        elif isinstance(held, list):
            waiting += [(f"{path}[{index}]", depth + 1, part) for index, part in enumerate(held)]


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
    """Return the text in raw JSON; None if it holds anything else."""
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
    known = _fields_by_name(kind)
    if kind.__struct_config__.forbid_unknown_fields:
        for name in sorted(fields.keys() - known.keys()):
            yield Problem(f"{path}.{name}", f"unknown field; known: {', '.join(sorted(known))}")
    for name, field in known.items():
        if name in fields:
            yield from _value_problems(fields[name], field.type, f"{path}.{name}")
        elif field.required:
            yield Problem(f"{path}.{name}", "is missing")


@lru_cache(maxsize=256)
def _fields_by_name(kind: type[msgspec.Struct]) -> dict[str, msgspec.structs.FieldInfo]:
    """Return a struct's fields as they are called in JSON: msgspec reads the annotations anew each time."""
    return {field.encode_name: field for field in msgspec.structs.fields(kind)}


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


def _refuse_constant(name: str) -> NoReturn:
    # Python's reader takes NaN and Infinity, which no other reader of the text would.
    raise ValueError(f"{name} is not a number in JSON")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
