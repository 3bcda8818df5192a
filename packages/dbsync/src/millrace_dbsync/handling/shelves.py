"""The shelves of all journals that have come so far."""

from collections.abc import Iterator, Mapping
from typing import Final

from millrace_bus import JournalPage
from millrace_dbsync.handling.handler import Shelf, Shelved
from millrace_dbsync.handling.handlers import shelf_of
from millrace_store import Batch

_AT_ONCE: Final = 500
"""Entries that are shelved together: few enough that they are still in the processor's cache when they are used."""


class Shelves:
    """Adds pages of any journal to batches."""

    def __init__(self) -> None:
        self._shelves: dict[str, Shelf] = {}

    def put(self, batch: Batch, pages: Mapping[str, JournalPage], shelved: Shelved) -> Iterator[None]:
        """Add pages by journal, and at the end their latencies, piece by piece.

        Whoever iterates, to the end, may do something else between two pieces.
        """
        for name, page in pages.items():
            shelf = self._shelves.get(name) or self._shelves.setdefault(name, shelf_of(name))
            for at in range(0, len(page), _AT_ONCE):
                shelf.put(batch, page[at : at + _AT_ONCE], shelved)
                yield
        shelved.times.put(batch)
