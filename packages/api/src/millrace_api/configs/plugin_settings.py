"""Checks the settings of strategies against the JSON schemas that their magicbox has published.

The magicbox checks them again, against the classes themselves: a schema cannot express every rule.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NoReturn

import jsonschema_rs

from millrace_core.config import MagicboxConfig, Plugin
from millrace_core.errors import Problem
from millrace_core.near_names import did_you_mean
from millrace_core.plugins import PLUGINS_INTERVAL_S, PluginDescription

_TYPES: Final = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "object": "an object",
    "string": "text",
}
_LIMITS: Final = {
    "exclusiveMaximum": "less than",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "minimum": "at least",
}


def plugin_mistakes(config: MagicboxConfig, plugins: Sequence[PluginDescription]) -> list[Problem]:
    """Return every mistake in the names and settings of a configuration's strategies."""
    known = {plugin.name: plugin for plugin in plugins}
    return [
        problem
        for number, workplan in enumerate(config.workplans)
        for index, plugin in enumerate(workplan.plugins)
        for problem in _mistakes(plugin, known, f"$.workplans[{number}].plugins[{index}]")
    ]


def _mistakes(plugin: Plugin, known: dict[str, PluginDescription], path: str) -> Iterator[Problem]:
    name = plugin.plugin_name
    described = known.get(name)
    if described is None:
        yield Problem(f"{path}.pluginName", f"no strategy named {name}{did_you_mean(name, known) or _none(known)}")
    elif described.error is not None:
        yield Problem(
            f"{path}.pluginName", f"{described.error}; once mended, that is known within {PLUGINS_INTERVAL_S} s"
        )
    elif described.schema is not None:
        yield from _schema_mistakes(described.schema, plugin.configuration, f"{path}.configuration")


def _none(known: dict[str, PluginDescription]) -> str:
    if not known:
        return "; this magicbox finds none at all: its --plugin-dir names the folder"
    return f"; a new file is known within {PLUGINS_INTERVAL_S} s"


def _schema_mistakes(schema: dict[str, Any], settings: dict[str, Any], path: str) -> Iterator[Problem]:
    try:
        # Masked: a message must not repeat a value, which may be secret.
        validator = jsonschema_rs.validator_for(schema, mask="it", retriever=_refuse)
    except ValueError:
        # A strategy may make its schema itself, wrongly; its magicbox checks without it.
        return
    for error in validator.iter_errors(settings):
        yield from _problems(error, path + "".join(map(_step, error.instance_path)))


def _problems(error: jsonschema_rs.ValidationError, path: str) -> Iterator[Problem]:
    found: dict[str, Any] = error.kind.as_dict()
    match error.kind.name:
        case "required":
            yield Problem(f"{path}.{found['property']}", "is required")
        case "additionalProperties":
            yield from (Problem(f"{path}.{name}", "unknown field") for name in found["unexpected"])
        case _:
            yield Problem(path, _message(error))


def _message(error: jsonschema_rs.ValidationError) -> str:
    found: dict[str, Any] = error.kind.as_dict()
    kind = error.kind.name
    if kind in _LIMITS:
        return f"must be {_LIMITS[kind]} {found['limit']}"
    if kind == "type":
        return "must be " + " or ".join(_TYPES.get(each, each) for each in found["types"])
    if kind in ("anyOf", "oneOf") and (inner := [_message(each) for each in _inner(found) if not _wants_null(each)]):
        return ", or ".join(dict.fromkeys(inner))
    return error.message


def _inner(found: dict[str, Any]) -> list[jsonschema_rs.ValidationError]:
    return [each for branch in found.get("context", ()) for each in branch]


def _wants_null(error: jsonschema_rs.ValidationError) -> bool:
    return error.kind.name == "type" and error.kind.as_dict()["types"] == ["null"]


def _step(part: str | int) -> str:
    return f"[{part}]" if isinstance(part, int) else f".{part}"


def _refuse(uri: str) -> NoReturn:
    raise ValueError(f"a schema of another place, {uri}, is not read")
