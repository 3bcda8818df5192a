"""How a configuration's text becomes a checked model, or the list of everything that is wrong with it."""

from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from millrace_core.config.common import BaseConfig
from millrace_core.errors import ConfigInvalid, Problem
from millrace_core.json_problems import TOO_DEEP, load_json, silent_mistakes

AgentConfig = TypeVar("AgentConfig", bound=BaseConfig)


def parse_config(model: type[AgentConfig], text: bytes | str) -> AgentConfig:
    """Return a configuration, checked.

    Raises:
        ConfigInvalid: it is not JSON or breaks the model's rules; `problems` names every mistake with its JSON path.
    """
    value = _read_json(text)
    mistakes = tuple(silent_mistakes(value))
    try:
        config = model.model_validate(value)
    except ValidationError as error:
        raise ConfigInvalid((*mistakes, *problems_of(error))) from error
    if mistakes:
        raise ConfigInvalid(mistakes)
    return config


def problems_of(error: ValidationError, root: str = "$") -> list[Problem]:
    """Return every mistake that a model found; `root` is the JSON path of the value that was checked."""
    found = (problem for details in error.errors() for problem in _problems(details))
    return [Problem(root + problem.path.removeprefix("$"), problem.message) for problem in found]


def _read_json(text: bytes | str) -> Any:
    try:
        return load_json(text)
    except ValueError as error:
        raise ConfigInvalid((Problem("$", f"this is not JSON: {error}"),)) from error
    except RecursionError as error:
        raise ConfigInvalid((TOO_DEEP,)) from error


def _problems(details: ErrorDetails) -> list[Problem]:
    if details["type"] == "value_error" and not details["loc"]:
        # A rule over the whole document names its places itself, one a line.
        lines = details["msg"].removeprefix("Value error, ").splitlines()
        return [Problem(f"$.{where}", message) for where, _, message in (line.partition(": ") for line in lines)]
    return [Problem(_json_path(details["loc"]), details["msg"].removeprefix("Value error, "))]


def _json_path(loc: tuple[int | str, ...]) -> str:
    # Pydantic marks that a mapping's key is meant by a part of its own, which is not part of the path.
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc if part != "[key]")
    return "$" + "".join(parts)
