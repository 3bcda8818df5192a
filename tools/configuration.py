"""Write the table of all configurations' fields: `python tools/configuration.py`. A test checks that it was done."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from millrace_api.configs.models import MODELS
from millrace_core.config.schema import described_schema

PAGE = Path(__file__).parent.parent / "docs" / "configuration-reference.md"
_INTRODUCTION = """# Every field of every configuration

Made from the code by `tools/configuration.py`. How configurations work, with examples, is in
[configuration.md](configuration.md). The console's editor shows the same while one types, and
`GET /api/v1/configs/kinds` has it as JSON schemas. `[]` stands for each item of a list, `*` for each name of an object.
"""
_HEAD = "\n| field | type | default | meaning |\n|---|---|---|---|\n"
_BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
_KINDS = {"array": "list", "integer": "whole number", "null": ""}
Schema = Mapping[str, Any]


def page() -> str:
    """Return the page as the code has it."""
    parts = []
    for kind, model in MODELS.items():
        root = described_schema(model)
        rows = "".join(_row(*field, root) for field in _fields(root, root, ""))
        parts.append(f"\n## {kind.capitalize()}\n{_HEAD}{rows}")
    return _INTRODUCTION + "".join(parts)


def undescribed() -> list[str]:
    """Return the fields that do not say what they mean."""
    roots = {kind: described_schema(model) for kind, model in MODELS.items()}
    found = ((kind, *field) for kind, root in roots.items() for field in _fields(root, root, ""))
    return [f"{kind} {path}" for kind, path, schema, _ in found if not schema.get("description")]


def _fields(place: Schema, root: Schema, path: str) -> Iterator[tuple[str, Schema, bool]]:
    """Yield the path and the schema of each field, and whether it is required."""
    for name, schema in place.get("properties", {}).items():
        below = f"{path}.{name}" if path else name
        yield below, schema, name in place.get("required", ())
        yield from _within(schema, root, below)


def _within(schema: Schema, root: Schema, path: str) -> Iterator[tuple[str, Schema, bool]]:
    for each in _plain(schema, root):
        if "properties" in each:
            yield from _fields(each, root, path)
        if isinstance(each.get("items"), Mapping):
            yield from _within(each["items"], root, f"{path}[]")
        if isinstance(each.get("additionalProperties"), Mapping):
            yield from _within(each["additionalProperties"], root, f"{path}.*")
        for named in each.get("patternProperties", {}).values():
            yield from _within(named, root, f"{path}.*")


def _plain(schema: Schema, root: Schema) -> list[Schema]:
    """Return the schemas that a schema stands for."""
    if "$ref" in schema:
        return _plain(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    if "anyOf" in schema:
        return [plain for each in schema["anyOf"] for plain in _plain(each, root)]
    return [schema]


def _row(path: str, schema: Schema, is_required: bool, root: Schema) -> str:
    types = " or ".join(dict.fromkeys(filter(None, (_type(each) for each in _plain(schema, root)))))
    default = "**required**" if is_required else _default(schema)
    return f"| `{path}` | {types} | {default} | {schema.get('description', '')} |\n"


def _type(schema: Schema) -> str:
    options = schema.get("enum", [schema["const"]] if "const" in schema else [])
    if options:
        return ", ".join(f"`{each}`" for each in options) if len(options) <= 8 else "one of ccxt's `watch…` names"
    bounds = " ".join(f"{sign} {schema[name]:,.15g}" for name, sign in _BOUNDS.items() if name in schema)
    kind = str(schema.get("type", "any"))
    return f"{_KINDS.get(kind, kind)} {bounds}".strip()


def _default(schema: Schema) -> str:
    value = schema.get("default")
    is_shown = value not in (None, "", [], {}) and not isinstance(value, Mapping)
    return f"`{value if isinstance(value, str) else json.dumps(value)}`" if is_shown else ""


if __name__ == "__main__":
    PAGE.write_text(page())
