"""What a connection must know of an exchange: how to ask for streams, and what a frame is."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol


class Topic(NamedTuple):
    """One stream of an exchange."""

    stream: str
    """The exchange's name of it, as in a request to subscribe."""
    route: Hashable
    """The same as `Event.route` of its events."""


class Event(Protocol):
    """A message of a stream."""

    @property
    def route(self) -> Hashable:
        """Return what tells the streams of a connection apart."""

    @property
    def position(self) -> Any:
        """Return its place in the stream: later events have greater ones, on every connection the same."""


class Answer(NamedTuple):
    """The answer to a request."""

    number: int
    refusal: str | None
    """Why the exchange refused; None if it did as asked."""


class Farewell(NamedTuple):
    """The notice that the exchange is about to end the connection."""


class Other(NamedTuple):
    """Anything that concerns nobody."""


Notice = Answer | Farewell | Other


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionRules:
    """What an exchange allows a connection."""

    streams: int
    """Streams that one connection carries at most."""
    streams_a_request: int
    """Streams that one request names at most."""
    request_interval_s: float
    """Pause after each request."""
    connect_interval_s: float
    """Pause between two attempts to connect."""
    lifetime_s: float
    """Age at which a connection is replaced, before the exchange ends it."""


class Dialect(Protocol):
    """An exchange's own way of subscribing and of sending."""

    @property
    def rules(self) -> ConnectionRules:
        """Return what the exchange allows a connection."""

    def subscribe(self, streams: Sequence[str], number: int) -> bytes:
        """Return the request to begin streams; the answer carries its number."""

    def unsubscribe(self, streams: Sequence[str], number: int) -> bytes:
        """Return the request to end streams."""

    def decode(self, frame: bytes) -> Event | Notice:
        """Return what a frame says.

        Raises:
            msgspec.MsgspecError: it is not of the form that the exchange documents.
        """
