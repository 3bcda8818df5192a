"""Finds events that come after newer ones of the same thing: what they say held before. Pure."""

from typing import Any


class Newest:
    """How far each of several things has come."""

    def __init__(self) -> None:
        self._places: dict[Any, Any] = {}

    def is_late(self, name: Any, place: Any) -> bool:
        """Tell whether an event is older than one before it; with None for its place it is not known to be."""
        if place is None:
            return False
        if place < self._places.get(name, place):
            return True
        self._places[name] = place
        return False

    def forget(self, name: Any) -> None:
        """Take anything next."""
        self._places.pop(name, None)
