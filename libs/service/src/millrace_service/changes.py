"""What must start, stop and restart so that the running units become the wanted ones. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Changes:
    """The steps from one set of units to another; units that none of them names are left alone."""

    start: frozenset[str]
    stop: frozenset[str]
    restart: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.start or self.stop or self.restart)


def diff(running: Mapping[str, Any], wanted: Mapping[str, Any]) -> Changes:
    """Compare units by key and by their configuration's `==`."""
    both = running.keys() & wanted.keys()
    return Changes(
        start=frozenset(wanted.keys() - running.keys()),
        stop=frozenset(running.keys() - wanted.keys()),
        restart=frozenset(key for key in both if running[key] != wanted[key]),
    )
