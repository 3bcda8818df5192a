"""The order in which messages of many streams arrived. Pure.

Journals hold every message, each stream's in its order, but not the order among streams. Channels have that: Redis
delivers the messages of all channels to all subscribers in one order, which is what a strategy saw. But they may drop
some. So what is recorded is read from the journals, and placed by when it was received on its channel.

A message that was not received is placed before the next of its stream that was, or where it is when it has waited.
"""

from collections import deque
from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Final, NamedTuple

PATIENCE_NS: Final = 3_000_000_000
"""How long a message waits for its other half: a new journal is found within a second."""


class Placed(NamedTuple):
    """A message with its place among those of all streams."""

    number: int
    suborder: int
    at_ns: int
    name: str
    id: str
    body: bytes | None


class ArrivalOrder:
    """Joins what was received on channels with what was read from journals; `release` returns what is complete."""

    def __init__(self) -> None:
        self._count = self._placed = self._last_ns = 0
        self._received: dict[tuple[str, str], tuple[int, int]] = {}
        """By name and id, number and time of what was received and is not read yet; oldest first."""
        self._unmatched: dict[str, deque[tuple[str, bytes | None, int]]] = {}
        """By name, what was read and not received yet: id, body, and when it was read."""
        self._ready: list[Placed] = []

    @property
    def waiting(self) -> int:
        """Return how many messages were read and are not released."""
        return len(self._ready) + sum(map(len, self._unmatched.values()))

    @property
    def newest(self) -> int:
        """Return the number of what came last."""
        return self._count

    def is_read_up_to(self, number: int) -> bool:
        """Tell whether everything that was received up to a number was read."""
        return next((first for first, _ in self._received.values()), number + 1) > number

    def received(self, name: str, entry_id: str, at_ns: int) -> None:
        """Take the id of a message that a channel carried."""
        number, at_ns = self._next(at_ns)
        waiting = self._unmatched.get(name)
        if waiting and any(entry_id == each for each, _, _ in waiting):
            while waiting:
                each, body, _ = waiting.popleft()
                self._place(number, at_ns, name, each, body)
                if each == entry_id:
                    return
        self._received[name, entry_id] = number, at_ns

    def read(self, name: str, entry_id: str, body: bytes | None, at_ns: int) -> None:
        """Take an entry of a journal; those of one journal in their order."""
        found = self._received.pop((name, entry_id), None)
        waiting = self._unmatched.setdefault(name, deque())
        if found is None:
            waiting.append((entry_id, body, at_ns))
            return
        while waiting:
            each, earlier, _ = waiting.popleft()
            self._place(*found, name, each, earlier)
        self._place(*found, name, entry_id, body)

    def read_alone(self, name: str, entry_id: str, body: bytes | None, at_ns: int) -> None:
        """Take an entry of a journal whose channel carries no ids: its place is where it was read."""
        self._place(*self._next(at_ns), name, entry_id, body)

    def release(self, now_ns: int) -> Iterator[Placed]:
        """Return, in order, what nothing can come before any more."""
        self._give_up(now_ns - PATIENCE_NS, now_ns)
        while self._ready and self.is_read_up_to(self._ready[0].number):
            yield heappop(self._ready)

    def release_all(self, now_ns: int) -> Iterator[Placed]:
        """Return all the rest: nothing more will be read."""
        self._received.clear()
        yield from self.release(now_ns + 2 * PATIENCE_NS)

    def _give_up(self, before_ns: int, now_ns: int) -> None:
        for key, (_, at_ns) in list(self._received.items()):
            if at_ns > before_ns:
                break
            # A channel may carry what its journal refused: that was no message.
            del self._received[key]
        for name, waiting in self._unmatched.items():
            while waiting and waiting[0][2] <= before_ns:
                entry_id, body, _ = waiting.popleft()
                self._place(*self._next(now_ns), name, entry_id, body)

    def _next(self, at_ns: int) -> tuple[int, int]:
        self._count += 1
        self._last_ns = max(at_ns, self._last_ns + 1)
        return self._count, self._last_ns

    def _place(self, number: int, at_ns: int, name: str, entry_id: str, body: bytes | None) -> None:
        self._placed += 1
        heappush(self._ready, Placed(number, self._placed, at_ns, name, entry_id, body))
