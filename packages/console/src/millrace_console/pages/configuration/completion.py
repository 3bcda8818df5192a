"""What may be typed at a place of a JSON text, by its schema. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

Schema = Mapping[str, Any]
_TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"?|[{}\[\],:]|[^\s{}\[\],:"]+')


class Option(msgspec.Struct, frozen=True):
    """Something that may be typed: what is shown, what it means, and what is inserted."""

    label: str
    detail: str
    insert: str
    explanation: str = ""
    """What a key is for."""


class Completion(msgspec.Struct, frozen=True):
    """The options at a place; they replace what was typed from `back` characters before it."""

    back: int
    options: list[Option]


class _Frame:
    """An object or list that is open at the cursor."""

    def __init__(self, *, is_object: bool) -> None:
        self.is_object = is_object
        self.key: str | None = None
        """The key whose value follows; None where a key follows."""
        self.values: dict[str, Any] = {}
        """The scalars of an object by key; other values are None."""


class _Cursor(NamedTuple):
    frames: list[_Frame]
    typed: str
    """The word or the open string before the cursor."""


def completion(before: str, schema: Schema, plugins: Mapping[str, Schema] | None = None) -> Completion:
    """Return what may be typed after `before`; `plugins` are the schemas of strategies' settings by name."""
    cursor = _read(before)
    if not cursor.frames:
        return Completion(0, [])
    last, known = cursor.frames[-1], plugins or {}
    places = list(_schemas_at(cursor.frames, schema, known))
    if last.is_object and last.key is None:
        found = [each for place, root in places for each in _keys(place, root, last.values)]
    else:
        found = [each for place, root in places for each in _values(place, root)]
        if last.key == "pluginName":
            found += [Option(name, "strategy", json.dumps(name)) for name in known]
    return Completion(len(cursor.typed), list({each.label: each for each in found}.values()))


def _read(before: str) -> _Cursor:
    """Read a text up to the cursor, whatever follows it."""
    tokens = [match[0] for match in _TOKEN.finditer(before)]
    typed = tokens.pop() if tokens and before.endswith(tokens[-1]) and _is_open(tokens[-1]) else ""
    frames: list[_Frame] = []
    for token in tokens:
        _take(token, frames)
    return _Cursor(frames, typed)


def _is_open(part: str) -> bool:
    """Tell whether a part at the end may still grow: a word, or a string without its closing quote."""
    if part.startswith('"'):
        return len(part) == 1 or not part.endswith('"') or part.endswith('\\"')
    return part not in "{}[]:,"


def _take(part: str, frames: list[_Frame]) -> None:
    last = frames[-1] if frames else None
    if part in "{[":
        frames.append(_Frame(is_object=part == "{"))
    elif last is None or part == ":":
        return
    elif part in "}]":
        frames.pop()
    elif part == ",":
        last.key = None
    elif last.is_object and last.key is None:
        last.key = str(_scalar(part))
        last.values[last.key] = None
    elif last.is_object:
        last.values[last.key or ""] = _scalar(part)


def _scalar(token: str) -> Any:
    try:
        return json.loads(token)
    except ValueError:
        return token


def _schemas_at(frames: list[_Frame], schema: Schema, plugins: Mapping[str, Schema]) -> Iterator[tuple[Schema, Schema]]:
    """Yield the schemas of the object or value at the cursor, each with the root that it refers to."""
    found = [(schema, schema)]
    for frame in frames:
        if frame.is_object and frame.key is None:
            break
        settings = plugins.get(str(frame.values.get("pluginName"))) if frame.key == "configuration" else None
        if settings is not None:
            found = [(settings, settings)]
        else:
            found = [(part, root) for place, root in found for part in _parts(place, root, frame)]
    yield from found


def _parts(place: Schema, root: Schema, frame: _Frame) -> Iterator[Schema]:
    for each in _plain(place, root):
        if not frame.is_object:
            yield each.get("items") or {}
        elif frame.key in (fields := each.get("properties", {})):
            yield fields[frame.key]
        else:
            others = (each.get("additionalProperties"), *each.get("patternProperties", {}).values())
            yield from (part for part in others if isinstance(part, Mapping))


def _plain(schema: Schema, root: Schema, depth: int = 0) -> Iterator[Schema]:
    """Yield the schemas that a schema stands for: what it refers to, and each of its alternatives."""
    if depth > 20:
        return
    if (reference := schema.get("$ref")) is not None:
        target: Any = root
        for part in str(reference).removeprefix("#/").split("/"):
            target = target.get(part, {}) if isinstance(target, Mapping) else {}
        yield from _plain(target, root, depth + 1)
    for name in ("anyOf", "oneOf", "allOf"):
        for part in schema.get(name, ()):
            yield from _plain(part, root, depth + 1)
    yield schema


def _keys(place: Schema, root: Schema, present: Mapping[str, Any]) -> Iterator[Option]:
    for each in _plain(place, root):
        required = each.get("required", ())
        for name, schema in each.get("properties", {}).items():
            if name not in present:
                needed = "required" if name in required else ""
                detail = " ".join(filter(None, (_kind(schema, root), needed)))
                yield Option(name, detail, f"{json.dumps(name)}: ", schema.get("description", ""))


def _values(place: Schema, root: Schema) -> Iterator[Option]:
    for each in _plain(place, root):
        listed = [*each.get("enum", ()), *([each["const"]] if "const" in each else ())]
        if each.get("type") == "boolean":
            listed += [True, False]
        for value in listed:
            yield Option(str(value) if isinstance(value, str) else json.dumps(value), "", json.dumps(value))
        if each.get("default") not in (None, {}, []) and not isinstance(each["default"], dict | list):
            text = json.dumps(each["default"])
            yield Option(text.strip('"'), "default", text)


def _kind(schema: Schema, root: Schema) -> str:
    kinds = [str(each["type"]) for each in _plain(schema, root) if each.get("type") not in (None, "null")]
    return " or ".join(dict.fromkeys(kinds))
