"""Secrets in configurations: masked in responses, and restored when they are sent back masked."""

from collections.abc import Iterator
from operator import eq
from typing import Any

from millrace_core.errors import Problem
from millrace_service.redaction import HIDDEN, clean_field

_ID_LEVELS = {"exchanges": 2, "risk": 1}
"""Sections whose outer levels are tenants and exchanges rather than fields."""
_SECRET_SECTIONS = frozenset({"receivers"})
"""Sections of which every text is secret, whatever it is called."""
_SECRET_FIELDS = frozenset({"headers"})
"""Fields of which every text is secret, at any depth: a header that signs a client in may have any name."""
_ENCRYPTED = "enc:"
_NAMING = ("exchangeId", "pluginName", "name", "action")
"""Fields that, beside the tenant, tell what an item of a list is."""


def masked(config: Any) -> Any:
    """Return a configuration with `***` in place of every secret, encrypted ones too."""
    if not isinstance(config, dict):
        return _masked_value("", config)
    return {name: _masked_top(name, item) for name, item in config.items()}


def unmasked(new: Any, current: Any) -> Any:
    """Return a configuration in which every masked value has its value in `current` again."""
    return _unmasked(new, current, masked(current))


def unresolved_masks(config: Any) -> list[Problem]:
    """Return a problem for each masked value that has no current value to keep."""
    return [
        Problem(path, "is masked, but there is no current secret to keep: send the secret itself")
        for path in _masks(config)
    ]


def _masked_top(name: str, item: Any) -> Any:
    return _masked_texts(item) if name in _SECRET_SECTIONS else _masked_section(item, _ID_LEVELS.get(name, -1), name)


def _masked_section(item: Any, id_levels: int, name: str) -> Any:
    if id_levels > 0 and isinstance(item, dict):
        return {key: _masked_section(value, id_levels - 1, key) for key, value in item.items()}
    if id_levels == 0 and isinstance(item, dict):
        return {key: _masked_value(key, value) for key, value in item.items()}
    return _masked_value(name, item)


def _masked_texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _masked_texts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked_texts(item) for item in value]
    return HIDDEN if value and isinstance(value, str) else value


def _masked_value(name: str, value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_ENCRYPTED):
        return HIDDEN
    if name.lower() in _SECRET_FIELDS:
        return _masked_texts(value)
    if isinstance(value, str) or _is_secret(name, value):
        return clean_field(name, value)
    if isinstance(value, dict):
        return {key: _masked_value(key, item) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked_value("", item) for item in value]
    return value


def _is_secret(name: str, value: Any) -> bool:
    """Tell whether a field's name says that its whole value is secret."""
    return bool(value) and not isinstance(value, bool) and clean_field(name, "x") == HIDDEN


def _unmasked(new: Any, current: Any, shown: Any) -> Any:
    if new == shown:
        return current
    if isinstance(new, dict) and isinstance(current, dict) and isinstance(shown, dict):
        return {key: _unmasked(item, current[key], shown[key]) if key in current else item for key, item in new.items()}
    if isinstance(new, list) and isinstance(current, list) and isinstance(shown, list):
        pairs = _pairs(new, shown)
        return [
            item if at is None else _unmasked(item, current[at], shown[at]) for item, at in zip(new, pairs, strict=True)
        ]
    return new


def _pairs(new: list[Any], shown: list[Any]) -> list[int | None]:
    """Return for each item of a list the index of the item that it was, if there is one.

    Items may have been added, removed and moved. An item is the one that it equals, else one that it shares its name
    with: by its index alone it could get the secret of another tenant.
    """
    left = dict(enumerate(shown))
    found: list[int | None] = [None] * len(new)
    for is_same in (eq, _have_same_name):
        for index, item in enumerate(new):
            same = [at for at, other in left.items() if is_same(item, other)] if found[index] is None else []
            if same:
                found[index] = nearest = min(same, key=lambda at: abs(at - index))
                del left[nearest]
    return found


def _have_same_name(item: Any, other: Any) -> bool:
    return bool(_name(item) == _name(other))


def _name(item: Any) -> Any:
    if not isinstance(item, dict):
        return type(item)
    return item.get("tenant", item.get("tenantId")), *(item.get(field) for field in _NAMING)


def _masks(value: Any, path: str = "$") -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _masks(item, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _masks(item, f"{path}[{index}]")
    elif isinstance(value, str) and HIDDEN in value:
        yield path
