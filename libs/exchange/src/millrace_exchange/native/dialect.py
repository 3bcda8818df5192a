"""What a connection must know of an exchange: where to connect, how to ask for streams, and what a frame is."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from millrace_exchange.refusals import Answer, LimitReport


class Endpoint(NamedTuple):
    """Where a socket is opened, and how often the exchange wants to be pinged over it."""

    url: str
    ping_s: float = 10.0
    """How long a connection may bring nothing before it is asked whether it lives; how often an exchange is pinged
    that wants pings of its own."""
    pong_s: float = 10.0
    """How long the answer may take."""


class Topic(NamedTuple):
    """One kind of events of one stream of an exchange."""

    stream: str
    """The exchange's name of it, as in a request to subscribe."""
    route: Hashable
    """The same as `Event.route` of its events; a stream may have events of several routes."""


class Event(Protocol):
    """A message of a stream."""

    @property
    def route(self) -> Hashable:
        """Return what tells the events of a connection apart."""

    @property
    def position(self) -> Any:
        """Return its place among those of its route: later events have no smaller ones, on every connection the same.

        Events of one place differ from each other.
        """


class Response(NamedTuple):
    """The response to a request."""

    number: int
    refusal: str | None
    """Why the exchange refused; None if it did as asked."""
    code: str | None = None
    """The exchange's own code of the refusal."""
    limited: Answer | None = None
    """The refusal, where it may concern a limit."""
    limits: tuple[LimitReport, ...] = ()
    """What the exchange says of its limits."""


class Welcome(NamedTuple):
    """The notice that the connection may be used."""


class Pong(NamedTuple):
    """The answer to a ping of the exchange's own kind."""


class Farewell(NamedTuple):
    """The notice that the exchange is about to end the connection."""


class Ended(NamedTuple):
    """The notice that the connection brings nothing any more."""

    reason: str


class Unreadable(NamedTuple):
    """An event that is not of the form that the exchange documents, of a stream that it names nonetheless."""

    route: Hashable
    reason: str


class Other(NamedTuple):
    """Anything that concerns nobody."""


Notice = Response | Welcome | Pong | Farewell | Ended | Unreadable | Other


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
    is_welcomed: bool = False
    """Whether a `Welcome` comes before anything may be asked for."""


class Dialect(Protocol):
    """An exchange's own way of subscribing and of sending."""

    @property
    def rules(self) -> ConnectionRules:
        """Return what the exchange allows a connection."""

    async def endpoint(self) -> Endpoint:
        """Return where to connect.

        Raises:
            ExchangeError: the exchange does not say.
        """

    def request_group(self, stream: str) -> Hashable:
        """Return what streams must have in common to be named in one request."""

    def subscribe(self, streams: Sequence[str], number: int) -> bytes:
        """Return the request to begin streams; the response carries its number."""

    def unsubscribe(self, streams: Sequence[str], number: int) -> bytes:
        """Return the request to end streams."""

    def ping(self) -> bytes | None:
        """Return the exchange's own kind of ping; None where that of WebSocket is answered."""

    def decode(self, frame: bytes) -> Event | Notice:
        """Return what a frame says.

        Raises:
            msgspec.MsgspecError: it is not of the form that the exchange documents, and names no stream.
        """
