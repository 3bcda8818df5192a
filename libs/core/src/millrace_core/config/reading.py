"""Parses a configuration: returns the checked model, or raises with every mistake in it."""

import re
from collections.abc import Iterator
from typing import Any, Final, TypeVar, get_args

from pydantic import AliasChoices, BaseModel, ValidationError
from pydantic_core import ErrorDetails

from millrace_core.config.common import BaseConfig
from millrace_core.errors import ConfigInvalid, Problem
from millrace_core.json_problems import TOO_DEEP, TOO_LARGE, load_json, silent_mistakes

AgentConfig = TypeVar("AgentConfig", bound=BaseConfig)

_PLACE: Final = re.compile(r"[^\s:]+")
_MESSAGES: Final = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "decimal_parsing": "must be a number",
    "decimal_type": "must be a number",
    "dict_type": "must be an object",
    "extra_forbidden": "unknown field",
    "finite_number": "must be a finite number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "is too large",
    "int_type": "must be a whole number",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "list_type": "must be a list",
    "literal_error": "must be {expected}",
    "missing": "is required",
    "model_type": "must be an object",
    "string_pattern_mismatch": "must match {pattern}",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must have at least {min_length} characters",
    "string_type": "must be text",
    "too_long": "must have at most {max_length} entries",
    "too_short": "must have {min_length} or more entries",
    "tuple_type": "must be a list",
}
"""Plain words for pydantic's types of mistakes; all others keep pydantic's own."""
_MOST_REPORTED: Final = 1_000
LARGEST_CONFIG: Final = 1_000_000
"""Bytes; the largest configurations are a tenth of it."""


def parse_config(model: type[AgentConfig], text: bytes | str) -> AgentConfig:
    """Return a configuration, checked.

    Raises:
        ConfigInvalid: it is not JSON or breaks the model's rules; `problems` names every mistake with its JSON path.
    """
    value, mistakes = read_json(text)
    if value is None:
        raise ConfigInvalid(mistakes)
    try:
        config = model.model_validate(value)
    except ValidationError as error:
        raise ConfigInvalid((*mistakes, *problems_of(error, model))) from error
    if mistakes:
        raise ConfigInvalid(mistakes)
    return config


def problems_of(error: ValidationError, model: Any, root: str = "$") -> list[Problem]:
    """Return every mistake that a model found, of many the first thousand; `root` is the path of the checked value."""
    causes = list(_causes(error))
    found = [problem for details in causes[:_MOST_REPORTED] for problem in _problems(details, model)]
    if len(causes) > _MOST_REPORTED:
        found.append(Problem("$", f"has {len(causes) - _MOST_REPORTED:,} more mistakes"))
    return [Problem(root + problem.path.removeprefix("$"), problem.message) for problem in found]


def message_of(details: ErrorDetails) -> str:
    """Return what is wrong in plain words."""
    message = _MESSAGES.get(details["type"])
    return message.format(**details.get("ctx", {})) if message else details["msg"].removeprefix("Value error, ")


def read_json(text: bytes | str) -> tuple[Any, tuple[Problem, ...]]:
    """Return the value of a configuration's text, and every mistake in its form.

    The value is None if the text is no JSON object, is nested too deep, is too large, or holds too many values.
    """
    if len(text) > LARGEST_CONFIG:
        return None, (Problem("$", f"is larger than {LARGEST_CONFIG:,} bytes"),)
    try:
        value = load_json(text)
    except ValueError as error:
        return None, (Problem("$", f"not valid JSON: {error}"),)
    except RecursionError:
        return None, (TOO_DEEP,)
    mistakes = tuple(silent_mistakes(value))
    if not isinstance(value, dict):
        return None, (*mistakes, Problem("$", "must be an object"))
    return None if TOO_DEEP in mistakes or TOO_LARGE in mistakes else value, mistakes


def _causes(error: ValidationError) -> Iterator[ErrorDetails]:
    # A list counts as too short when one of its entries is unreadable; then only the entry's mistake is reported.
    all_details = error.errors(include_url=False)
    outer = {each["loc"][:length] for each in all_details for length in range(len(each["loc"]))}
    yield from (each for each in all_details if each["type"] != "too_short" or each["loc"] not in outer)


def _problems(details: ErrorDetails, model: Any) -> list[Problem]:
    message = message_of(details)
    if details["type"] == "value_error" and not details["loc"]:
        # A rule over the whole document names its places itself, one a line; one that names none is about all of it.
        lines = (line.partition(": ") for line in message.splitlines())
        return [
            Problem(f"$.{where}", text) if text and _PLACE.fullmatch(where) else Problem("$", f"{where}{colon}{text}")
            for where, colon, text in lines
        ]
    if details["type"] == "extra_forbidden" and (known := _fields_at(model, details["loc"][:-1])):
        message += f"; known: {', '.join(known)}"
    return [Problem(_json_path(details["loc"]), message)]


def _fields_at(kind: Any, loc: tuple[int | str, ...]) -> list[str]:
    """Return the names of the fields that the model at a place has."""
    for part in loc:
        # Keys of mappings, positions in lists and pydantic's tags of unions are no fields: the kind stays.
        kind = _fields(kind).get(str(part), kind)
    return sorted(_fields(kind))


def _fields(kind: Any) -> dict[str, Any]:
    """Return the types of a model's fields by their names in JSON; `kind` may be a container of the model."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {_name(field.validation_alias, name): field.annotation for name, field in kind.model_fields.items()}
    return {name: inner for argument in get_args(kind) for name, inner in _fields(argument).items()}


def _name(alias: Any, name: str) -> str:
    return str(alias.choices[0] if isinstance(alias, AliasChoices) else alias or name)


def _json_path(loc: tuple[int | str, ...]) -> str:
    # Pydantic marks that a mapping's key is meant by a part of its own, which is not part of the path.
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc if part != "[key]")
    return "$" + "".join(parts)
