"""Which streams a connection has asked for, and which to ask for next. Pure."""

from typing import Literal, NamedTuple


class Request(NamedTuple):
    """A request to the exchange."""

    kind: Literal["subscribe", "unsubscribe"]
    streams: list[str]
    number: int


class StreamRequests:
    """Brings what the exchange sends to what is wanted, a request after the other."""

    def __init__(self, streams_a_request: int) -> None:
        self.wanted: dict[str, None] = {}
        self._streams_a_request = streams_a_request
        self._asked: set[str] = set()
        self._confirmed: set[str] = set()
        self._unanswered: dict[int, list[str]] = {}
        self._number = 0

    @property
    def is_settled(self) -> bool:
        """Tell whether the exchange has confirmed all that is wanted."""
        return self.wanted.keys() <= self._confirmed

    def is_confirmed(self, stream: str) -> bool:
        """Tell whether the exchange sends a stream."""
        return stream in self._confirmed

    def is_unanswered(self, number: int) -> bool:
        """Tell whether a request to subscribe still waits for its answer."""
        return number in self._unanswered

    def next(self) -> Request | None:
        """Return the request to be sent now; None if there is nothing to change."""
        most = self._streams_a_request
        if new := [stream for stream in self.wanted if stream not in self._asked][:most]:
            self._asked.update(new)
            self._unanswered[self._number] = new
            return self._numbered("subscribe", new)
        if unused := [stream for stream in self._asked if stream not in self.wanted][:most]:
            self._forget(unused)
            return self._numbered("unsubscribe", unused)
        return None

    def answered(self, number: int, *, is_done: bool) -> list[str]:
        """Note an answer; return the streams that it begins or refuses. Those refused are wanted no more."""
        streams = self._unanswered.pop(number, [])
        if is_done:
            self._confirmed.update(streams)
        else:
            self._asked.difference_update(streams)
            for stream in streams:
                self.wanted.pop(stream, None)
        return streams

    def _forget(self, streams: list[str]) -> None:
        self._asked.difference_update(streams)
        self._confirmed.difference_update(streams)
        # An answer that is still on its way says nothing of them any more.
        for number, asked in self._unanswered.items():
            self._unanswered[number] = [stream for stream in asked if stream not in streams]

    def _numbered(self, kind: Literal["subscribe", "unsubscribe"], streams: list[str]) -> Request:
        self._number += 1
        return Request(kind, streams, self._number - 1)
