"""Which streams a connection has asked for, and which to ask for next. Pure."""

from collections.abc import Callable, Hashable, Iterable
from typing import Literal, NamedTuple


class Request(NamedTuple):
    """A request to the exchange."""

    kind: Literal["subscribe", "unsubscribe"]
    streams: list[str]
    number: int


def _same_group(_stream: str) -> Hashable:
    return None


class StreamRequests:
    """Brings what the exchange sends to what is wanted, a request after the other.

    `group` returns what the streams of one request must have in common.
    """

    def __init__(self, streams_a_request: int, group: Callable[[str], Hashable] = _same_group) -> None:
        self.wanted: dict[str, None] = {}
        self._streams_a_request = streams_a_request
        self._group = group
        self._asked: set[str] = set()
        self._confirmed: set[str] = set()
        self._unanswered: dict[int, list[str]] = {}
        self._ending: set[str] = set()
        """Streams that are ended even if they are wanted again meanwhile."""
        self._alone: set[str] = set()
        """Streams of a request that was refused: only each by itself shows which of them the exchange has not."""
        self._number = 0

    @property
    def is_settled(self) -> bool:
        """Tell whether the exchange has confirmed all that is wanted."""
        return self.wanted.keys() <= self._confirmed

    def is_confirmed(self, stream: str) -> bool:
        """Tell whether the exchange sends a stream."""
        return stream in self._confirmed

    def is_unanswered(self, number: int) -> bool:
        """Tell whether a request to subscribe still waits for its response."""
        return number in self._unanswered

    def next(self) -> Request | None:
        """Return the request to be sent now; None if there is nothing to change."""
        if new := self._one_group(stream for stream in self.wanted if stream not in self._asked):
            self._asked.update(new)
            self._unanswered[self._number] = new
            return self._numbered("subscribe", new)
        if unused := self._one_group(s for s in self._asked if s not in self.wanted or s in self._ending):
            self._forget(unused)
            return self._numbered("unsubscribe", unused)
        return None

    def end(self, stream: str) -> None:
        """Want a stream no more; if it is wanted again, the exchange begins it anew."""
        self.wanted.pop(stream, None)
        self._confirmed.discard(stream)
        if stream in self._asked:
            self._ending.add(stream)

    def answered(self, number: int, *, is_done: bool) -> list[str]:
        """Note a response; return the streams that it begins or refuses. Those refused are wanted no more."""
        streams = [stream for stream in self._unanswered.pop(number, []) if stream not in self._ending]
        if is_done:
            self._confirmed.update(streams)
            self._alone.difference_update(streams)
            return streams
        self._asked.difference_update(streams)
        if len(streams) > 1:
            self._alone.update(streams)
            return []
        for stream in streams:
            self.wanted.pop(stream, None)
            self._alone.discard(stream)
        return streams

    def _one_group(self, streams: Iterable[str]) -> list[str]:
        """Return streams that one request may name."""
        left = list(streams)
        if left and left[0] in self._alone:
            return left[:1]
        alike = [each for each in left if each not in self._alone and self._group(each) == self._group(left[0])]
        return alike[: self._streams_a_request]

    def _forget(self, streams: list[str]) -> None:
        self._asked.difference_update(streams)
        self._confirmed.difference_update(streams)
        self._ending.difference_update(streams)
        self._alone.difference_update(streams)
        # A response that is still on its way says nothing of them any more.
        for number, asked in self._unanswered.items():
            self._unanswered[number] = [stream for stream in asked if stream not in streams]

    def _numbered(self, kind: Literal["subscribe", "unsubscribe"], streams: list[str]) -> Request:
        self._number += 1
        return Request(kind, streams, self._number - 1)
