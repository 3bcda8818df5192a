"""What a configuration costs others than those whose configuration it is: rows, processes, memory, streams. Pure."""

from collections.abc import Iterator
from typing import Any, Final

from millrace_core.config import GathererConfig, MagicboxConfig, parse_config
from millrace_core.errors import ConfigInvalid, Problem

_RESERVED: Final = {
    "retention": "concerns all tenants' rows",
    "workers": "takes processes of the machine",
    "workerLimits": "takes memory of the machine",
}
_USUAL_MB: Final = 500.0
"""The memory that any admin may give a strategy's process."""


def reserved_changes(new: Any, current: Any) -> list[Problem]:
    """Return a problem for each field that a configuration changes and that only an operator may change."""
    before = current or {}
    fields = [field for field in _RESERVED if new.get(field) != before.get(field)]
    found = [Problem(f"$.{field}", f"{_RESERVED[field]}: only an operator may change it") for field in fields]
    most_mb = max((mb for _, mb in _memories(before)), default=_USUAL_MB)
    text = f"is more than {max(most_mb, _USUAL_MB):g}: only an operator may allow it"
    return found + [Problem(path, text) for path, mb in _memories(new) if mb > max(most_mb, _USUAL_MB)]


def size_of(kind: str | None, text: bytes | None) -> int:
    """Return how many streams a gatherer's configuration stands for, or strategies a magicbox's; else 0."""
    if text is None:
        return 0
    try:
        if kind == "gatherer":
            return parse_config(GathererConfig, text).most_streams
        if kind == "magicbox":
            return sum(len(plan.plugins) for plan in parse_config(MagicboxConfig, text).workplans)
    except ConfigInvalid:
        pass
    return 0


def _memories(config: Any) -> Iterator[tuple[str, float]]:
    """Return the memory that each strategy's process may have, with its path."""
    for at, plan in enumerate(_objects(config.get("workplans"))):
        for number, plugin in enumerate(_objects(plan.get("plugins"))):
            limits = plugin.get("limits")
            memory = limits.get("memoryMb") if isinstance(limits, dict) else None
            if isinstance(memory, int | float):
                yield f"$.workplans[{at}].plugins[{number}].limits.memoryMb", memory


def _objects(value: Any) -> list[dict[str, Any]]:
    return [each if isinstance(each, dict) else {} for each in value] if isinstance(value, list) else []
