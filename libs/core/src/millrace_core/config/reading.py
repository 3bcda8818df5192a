"""How a configuration's text becomes a checked model, or the list of everything that is wrong with it."""

import json
import math
from collections.abc import Iterator
from typing import Any, Final, NoReturn, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from millrace_core.config.common import BaseConfig
from millrace_core.errors import ConfigInvalid, Problem

MAX_DEPTH: Final = 64
"""How deep objects and lists may be nested: comparing two configurations recurses that deep."""
_TOO_DEEP: Final = f"objects and lists are nested more than {MAX_DEPTH} deep"

AgentConfig = TypeVar("AgentConfig", bound=BaseConfig)


def parse_config(model: type[AgentConfig], text: bytes | str) -> AgentConfig:
    """Return a configuration, checked.

    Raises:
        ConfigInvalid: it is not JSON or breaks the model's rules; `problems` names every mistake with its JSON path.
    """
    value = _read_json(text)
    mistakes = tuple(_json_mistakes(value))
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


class _Object(dict[str, Any]):
    """A JSON object that knows which of its keys stood there more than once; the last value of each is kept."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        names = [name for name, _ in pairs]
        self.repeated = sorted({name for name in names if names.count(name) > 1}) if len(self) < len(pairs) else []


def _read_json(text: bytes | str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_Object, parse_constant=_refuse_constant)
    except ValueError as error:
        raise ConfigInvalid((Problem("$", f"this is not JSON: {error}"),)) from error
    except RecursionError as error:
        raise ConfigInvalid((Problem("$", _TOO_DEEP),)) from error


def _refuse_constant(name: str) -> NoReturn:
    # Python's reader takes NaN and Infinity, which no other reader of the text would.
    raise ValueError(f"{name} is not a number in JSON")


def _json_mistakes(value: Any) -> Iterator[Problem]:
    """Yield what JSON's grammar allows and no configuration may hold."""
    waiting: list[tuple[str, int, Any]] = [("$", 0, value)]
    while waiting:
        path, depth, held = waiting.pop()
        if isinstance(held, float) and not math.isfinite(held):
            yield Problem(path, "is too large a number")
        if isinstance(held, str) and not _is_unicode(held):
            yield Problem(path, "holds half of a surrogate pair, which is no character")
        if isinstance(held, _Object):
            for name in held.repeated:
                yield Problem(f"{path}.{name}", "stands here more than once; remove all but one")
        if isinstance(held, _Object | list) and depth == MAX_DEPTH:
            raise ConfigInvalid((Problem("$", _TOO_DEEP),))
        if isinstance(held, _Object):
            waiting += [(f"{path}.{name}", depth + 1, part) for name, part in held.items()]
        elif isinstance(held, list):
            waiting += [(f"{path}[{index}]", depth + 1, part) for index, part in enumerate(held)]


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


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
