"""A strategy's settings as fields of a form, made from their JSON schema; and back into JSON. Pure."""

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

TRUTH = {"true": True, "false": False}
_BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}


_KINDS = {"json": "JSON", "integer": "whole number", "number": "number"}
_NO_BOUND = 10**15
"""A bound so far away tells a person nothing."""


class Field(NamedTuple):
    """One setting."""

    name: str
    types: frozenset[str]
    """JSON's names of the types that it may have; `json` for what is no single value."""
    options: tuple[str, ...]
    """The only values that it may have; none for any."""
    is_required: bool
    hint: str
    """What it means, its bounds and its default."""


def fields_of(schema: Mapping[str, Any], present: Mapping[str, Any]) -> list[Field]:
    """Return the fields of a schema, and one for each present setting that it does not describe."""
    properties: Mapping[str, Any] = schema.get("properties") or {}
    required = schema.get("required") or ()
    known = [_field(name, each, is_required=name in required) for name, each in properties.items()]
    others = [Field(name, frozenset({"json"}), (), False, "JSON") for name in present if name not in properties]
    return known + others


def shown(field: Field, value: Any) -> str:
    """Return a value as the field shows it; an absent one is empty."""
    if value is None:
        return ""
    if isinstance(value, str) and "json" not in field.types:
        return value
    return json.dumps(value, ensure_ascii=False)


def parsed(field: Field, text: str) -> Any:
    """Return the value of a field's text, None for an empty one, which leaves the setting out.

    Raises:
        ValueError: it is none of the field's types; the text says what is expected.
    """
    text = text.strip()
    if not text:
        if field.is_required:
            raise ValueError("required")
        return None
    if "json" in field.types:
        return _json(text)
    if "boolean" in field.types and text in TRUTH:
        return TRUTH[text]
    if field.types & {"integer", "number"}:
        return _number(field, text)
    if "string" in field.types:
        return text
    raise ValueError("true or false is expected")


def _field(name: str, schema: Mapping[str, Any], *, is_required: bool) -> Field:
    branches = [each for each in schema.get("anyOf", (schema,)) if each.get("type") != "null"]
    simple = {"integer", "number", "string", "boolean"}
    types = {each.get("type") if each.get("type") in simple else "json" for each in branches}
    if any("enum" in each or "const" in each for each in branches):
        types = {"string"} if all(isinstance(option, str) for option in _options(branches)) else {"json"}
    if types == {"boolean"}:
        options: tuple[str, ...] = tuple(TRUTH)
    else:
        options = tuple(option if isinstance(option, str) else json.dumps(option) for option in _options(branches))
    return Field(name, frozenset(map(str, types)), options, is_required, _hint(schema, branches, types))


def _options(branches: list[Mapping[str, Any]]) -> list[Any]:
    return [option for each in branches for option in each.get("enum", [each["const"]] if "const" in each else [])]


def _hint(schema: Mapping[str, Any], branches: list[Mapping[str, Any]], types: set[Any]) -> str:
    kind = next((word for name, word in _KINDS.items() if name in types), "")
    bounds = [
        f"{sign} {_plain(each[name])}"
        for each in branches
        for name, sign in _BOUNDS.items()
        if name in each and abs(each[name]) < _NO_BOUND
    ]
    default = schema.get("default")
    said = ["default " + (default if isinstance(default, str) else json.dumps(default))] if default is not None else []
    return ", ".join(filter(None, (schema.get("description", ""), " ".join([kind, *bounds]).strip(), *said)))


def _plain(value: Any) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else str(value)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"no JSON: {error}") from error


def _number(field: Field, text: str) -> Any:
    """Return an int, a float, or the text itself where no float has all of its digits."""
    try:
        exact = Decimal(text)
    except InvalidOperation as error:
        raise ValueError("a number is expected") from error
    if not exact.is_finite():
        raise ValueError("a number is expected")
    if exact == exact.to_integral_value() and exact.adjusted() < 15:
        return int(exact)
    if "number" not in field.types:
        raise ValueError("a whole number is expected")
    if Decimal(repr(float(exact))) == exact:
        return float(exact)
    if "string" in field.types:
        return text
    raise ValueError("it has more digits than a JSON number keeps")
