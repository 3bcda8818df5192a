"""Secrets in configurations: hidden before anybody sees them, and put back where somebody left them hidden."""

from collections.abc import Iterator
from typing import Any

from millrace_core.errors import Problem
from millrace_service.redaction import HIDDEN, clean_field

_ID_LEVELS = {"exchanges": 2, "risk": 1}
"""Sections of the document whose first levels are names of tenants and exchanges, and no fields."""
_ENCRYPTED = "enc:"


def hidden(config: Any) -> Any:
    """Return a configuration with `***` in place of every secret, encrypted ones too."""
    if not isinstance(config, dict):
        return _hidden_value("", config)
    return {name: _hidden_section(held, _ID_LEVELS.get(name, -1), name) for name, held in config.items()}


def restored(new: Any, current: Any) -> Any:
    """Return a configuration in which whatever was left as it is shown has again the value that it hides."""
    return _restored(new, current, hidden(current))


def still_hidden(config: Any) -> list[Problem]:
    """Find secrets that hide nothing that is known: they must be given again."""
    return [Problem(path, "must be given again: there is no secret here that could be kept") for path in _hides(config)]


def _hidden_section(held: Any, id_levels: int, name: str) -> Any:
    if id_levels > 0 and isinstance(held, dict):
        return {key: _hidden_section(value, id_levels - 1, key) for key, value in held.items()}
    if id_levels == 0 and isinstance(held, dict):
        return {key: _hidden_value(key, value) for key, value in held.items()}
    return _hidden_value(name, held)


def _hidden_value(name: str, value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_ENCRYPTED):
        return HIDDEN
    if isinstance(value, str) or _is_secret(name, value):
        return clean_field(name, value)
    if isinstance(value, dict):
        return {key: _hidden_value(key, held) for key, held in value.items()}
    if isinstance(value, list):
        return [_hidden_value("", held) for held in value]
    return value


def _is_secret(name: str, value: Any) -> bool:
    """Tell whether a value is hidden whole because of its name."""
    return bool(value) and not isinstance(value, bool) and clean_field(name, "x") == HIDDEN


def _restored(new: Any, current: Any, shown: Any) -> Any:
    if new == shown:
        return current
    if isinstance(new, dict) and isinstance(current, dict) and isinstance(shown, dict):
        return {key: _restored(held, current[key], shown[key]) if key in current else held for key, held in new.items()}
    if isinstance(new, list) and isinstance(current, list) and isinstance(shown, list):
        pairs = zip(current, shown, strict=True)
        return [_restored(held, *pair) if (pair := next(pairs, None)) else held for held in new]
    return new


def _hides(value: Any, path: str = "$") -> Iterator[str]:
    if isinstance(value, dict):
        for key, held in value.items():
            yield from _hides(held, f"{path}.{key}")
    elif isinstance(value, list):
        for index, held in enumerate(value):
            yield from _hides(held, f"{path}[{index}]")
    elif isinstance(value, str) and HIDDEN in value:
        yield path
