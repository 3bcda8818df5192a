"""What a writer keeps of its newest messages, to write them again should Redis have lost them."""

from collections import deque

KEPT_NS = 5_000_000_000
"""How long an acknowledged message is kept: Redis flushes to disk every second, two when the disk is busy."""


class Ring:
    """The newest messages of one epoch, numbered without a hole; bounded in count and, once acknowledged, in age."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._entries: deque[tuple[int, int, bytes]] = deque()

    def __len__(self) -> int:
        return len(self._entries)

    def append(self, seq: int, at_ns: int, message: bytes, acknowledged: int) -> bool:
        """Keep a message; tell whether all that are not acknowledged are still here.

        What is acknowledged up to that number and older than 5 s is forgotten; of too many, the oldest is.
        """
        entries = self._entries
        entries.append((seq, at_ns, message))
        while entries[0][0] <= acknowledged and at_ns - entries[0][1] > KEPT_NS:
            entries.popleft()
        if len(entries) <= self._most:
            return True
        return entries.popleft()[0] <= acknowledged

    @property
    def first(self) -> int | None:
        """Return the number of the oldest message that is kept; None where none is."""
        return self._entries[0][0] if self._entries else None

    def after(self, seq: int) -> list[tuple[int, bytes]]:
        """Return what is kept beyond a number, in order."""
        return [(number, message) for number, _, message in self._entries if number > seq]

    def clear(self) -> None:
        """Forget everything: another epoch begins."""
        self._entries.clear()
