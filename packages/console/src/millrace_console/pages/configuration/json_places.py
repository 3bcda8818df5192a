"""Where each part of a JSON text stands, so that a mistake is shown at its place. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from json.decoder import scanstring  # type: ignore[attr-defined]  # the stubs lack it
from typing import NamedTuple, NoReturn

from millrace_core.json_problems import load_json, silent_mistakes

_SPACE = re.compile(r"[ \t\r\n]*")
_SCALAR = re.compile(r'[^\s,:\]}"\[{]+')
_STEP = re.compile(r"(?:\.[^.\[\]]*|\[\d+\])$")
_DEEPEST = 200


class Span(NamedTuple):
    """A part of a text, from its first character to the one after its last."""

    start: int
    end: int


class Mistake(NamedTuple):
    """A mistake, and the part of the text that shows it."""

    path: str
    message: str
    span: Span


def places(text: str) -> dict[str, Span]:
    """Return the span of every part by its JSON path, up to the first syntax error.

    Of a field it is the key with its value, or the key alone where the value is an object or a list.
    """
    found: dict[str, Span] = {}
    with suppress(IndexError, ValueError):
        found.update(_Scanner(text).value("$", 0))
    return found


def mistakes(text: str, problems: list[Mapping[str, str]]) -> list[Mistake]:
    """Return problems with the spans of their paths; one whose path is not in the text is shown at what holds it."""
    known = places(text)
    found = [Mistake(each["path"], each["message"], _span(each["path"], known, text)) for each in problems]
    return sorted(found, key=lambda each: each.span)


def own_mistakes(text: str) -> list[Mistake]:
    """Return what keeps a text from being an unambiguous JSON object: bad syntax, or a key that occurs twice."""
    try:
        value = load_json(text)
    except json.JSONDecodeError as error:
        at = min(error.pos, max(0, len(text) - 1))
        line = f"line {error.lineno}, column {error.colno}"
        return [Mistake("$", f"not valid JSON: {error.msg} ({line})", Span(at, at + 1))]
    except (ValueError, RecursionError) as error:
        return [Mistake("$", f"not valid JSON: {error}", Span(0, 1))]
    if not isinstance(value, dict):
        return [Mistake("$", "must be an object", Span(0, max(1, len(text))))]
    return mistakes(text, [{"path": each.path, "message": each.message} for each in silent_mistakes(value)])


def line_of(text: str, at: int) -> int:
    """Return the number of the line, from 1, in which a character stands."""
    return text.count("\n", 0, at) + 1


def _span(path: str, known: Mapping[str, Span], text: str) -> Span:
    while path not in known and (shorter := _STEP.sub("", path)) != path:
        path = shorter
    span = known.get(path, Span(0, 1))
    return span if span.end > span.start else Span(span.start, min(len(text), span.start + 1))


class _Scanner:
    """Reads JSON of which only the beginning may be right.

    Raises:
        IndexError, ValueError: from every method, at the first syntax error.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        """Where the value that was read last has ended."""

    def value(self, path: str, at: int, key: Span | None = None, depth: int = 0) -> Iterator[tuple[str, Span]]:
        """Yield the value that begins at a place, and all within it."""
        at = self._skip(at)
        first = self._text[at]
        if depth > _DEEPEST:
            raise ValueError("too deep")
        if first in "{[":
            yield path, key or Span(at, at + 1)
            yield from self._parts(path, at + 1, first == "{", depth)
        else:
            self._at = self._end_of_scalar(at)
            yield path, Span(key.start if key else at, self._at)

    def _parts(self, path: str, at: int, is_object: bool, depth: int) -> Iterator[tuple[str, Span]]:
        closing, number = "}" if is_object else "]", 0
        at = self._skip(at)
        while self._text[at] != closing:
            key = None
            part = f"{path}[{number}]"
            if is_object:
                name, end = scanstring(self._text, at + 1) if self._text[at] == '"' else _refuse()
                key, part = Span(at, end), f"{path}.{name}"
                yield part, key
                at = self._expect(end, ":")
            yield from self.value(part, at, key, depth + 1)
            number += 1
            at = self._skip(self._at)
            if self._text[at] != closing:
                at = self._skip(self._expect(at, ","))
        self._at = at + 1

    def _end_of_scalar(self, at: int) -> int:
        if self._text[at] == '"':
            return int(scanstring(self._text, at + 1)[1])
        match = _SCALAR.match(self._text, at)
        return match.end() if match else _refuse()

    def _expect(self, at: int, wanted: str) -> int:
        at = self._skip(at)
        return at + 1 if self._text[at] == wanted else _refuse()

    def _skip(self, at: int) -> int:
        match = _SPACE.match(self._text, at)
        return match.end() if match else at


def _refuse() -> NoReturn:
    raise ValueError("not JSON")
