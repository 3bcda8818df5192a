"""The differences between two configurations, by JSON path."""

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from millrace_api.configs.masking import masked

ChangeKind = Literal["added", "removed", "changed"]
_ABSENT = object()


class ConfigChange(msgspec.Struct, frozen=True):
    """One difference between two configurations; secrets are masked, but a changed secret is listed."""

    path: str
    kind: ChangeKind
    before: Any = None
    after: Any = None


def changes(before: Any, after: Any) -> list[ConfigChange]:
    """Return the changes that lead from one configuration to another."""
    return list(_changes("$", before, after, masked(before), masked(after)))


def _changes(path: str, before: Any, after: Any, shown: Any, shown_after: Any) -> Iterator[ConfigChange]:
    if before is _ABSENT:
        yield ConfigChange(path, "added", after=shown_after)
    elif after is _ABSENT:
        yield ConfigChange(path, "removed", before=shown)
    elif _are(dict, before, after, shown, shown_after):
        for key in [*before, *(key for key in after if key not in before)]:
            parts = (each.get(key, _ABSENT) for each in (before, after, shown, shown_after))
            yield from _changes(f"{path}.{key}", *parts)
    elif _are(list, before, after, shown, shown_after):
        for index in range(max(len(before), len(after))):
            parts = (each[index] if index < len(each) else _ABSENT for each in (before, after, shown, shown_after))
            yield from _changes(f"{path}[{index}]", *parts)
    elif before != after:
        yield ConfigChange(path, "changed", shown, shown_after)


def _are(kind: type, *values: Any) -> bool:
    return all(isinstance(value, kind) for value in values)
