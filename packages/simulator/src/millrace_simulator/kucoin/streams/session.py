"""A client of streams: its topics and the requests that change them."""

from __future__ import annotations

from collections.abc import Callable

from millrace_simulator.faults import EventLine
from millrace_simulator.kucoin.exchange import Exchange
from millrace_simulator.kucoin.streams import requests, topics
from millrace_simulator.kucoin.streams.requests import BadRequestError, Request
from millrace_simulator.streaming import ClientConnection, Hub, Subscriber, payload_of, text_frame
from millrace_simulator.venue import Account

MOST_TOPICS = 400
"""Of one connection, each symbol counted."""


class StreamSession:
    """One connection's subscriptions; requests are answered in the order in which they came."""

    form = None

    def __init__(
        self,
        exchange: Exchange,
        hub: Hub[None],
        connection: ClientConnection,
        account: Account | None,
        events: EventLine,
    ) -> None:
        self.send = connection.send
        self._exchange = exchange
        self._hub = hub
        self._account = account
        self._events = events
        self._streams: dict[str, Subscriber[None]] = {}
        """Who takes each: the session itself, or one of its accounts' topics."""

    def handle(self, text: str) -> None:
        """Carry out a request and answer it."""
        try:
            request = requests.parse_request(text)
            payload = self._perform(request)
        except BadRequestError as error:
            payload = requests.refusal(error)
        if payload is not None:
            self.send(text_frame(payload))

    def close(self) -> None:
        """Unsubscribe from everything."""
        for stream, subscriber in self._streams.items():
            self._hub.unsubscribe(stream, subscriber)
        self._streams.clear()

    def _perform(self, request: Request) -> bytes | None:
        if request.type == "ping":
            return requests.answer(request, "pong", timestamp=str(self._exchange.venue.clock.now_us()))
        if request.type == "subscribe":
            self._subscribe(request)
        elif request.type == "unsubscribe":
            self._unsubscribe(request)
        else:
            raise BadRequestError(415, "type is not supported", request.id_text)
        return requests.answer(request, "ack") if request.response else None

    def _subscribe(self, request: Request) -> None:
        wanted = dict.fromkeys(self._streams_of(request))
        if len(self._streams.keys() | wanted.keys()) > MOST_TOPICS:
            message = f"exceed max subscription count limitation of {MOST_TOPICS} per session"
            raise BadRequestError(509, message, request.id_text)
        for stream in wanted:
            subscriber = self._streams.setdefault(stream, self._subscriber(request.topic))
            self._hub.subscribe(stream, subscriber)

    def _unsubscribe(self, request: Request) -> None:
        for stream in self._streams_of(request):
            if (subscriber := self._streams.pop(stream, None)) is not None:
                self._hub.unsubscribe(stream, subscriber)

    def _subscriber(self, topic: str) -> Subscriber[None]:
        return _PrivateTopic(topic, self._events, self.send) if topic in topics.PRIVATE else self

    def _streams_of(self, request: Request) -> list[str]:
        if request.topic in topics.PRIVATE:
            if self._account is None:
                raise BadRequestError(403, f"topic {request.topic} needs a private token", request.id_text)
            return [topics.private_stream(request.topic, self._account.account_id)]
        try:
            return topics.streams_of(request.topic, self._exchange.venue.instruments)
        except topics.TooManySymbolsError:
            message = f"exceed max subscription count limitation of {topics.MOST_SYMBOLS} per time"
            raise BadRequestError(509, message, request.id_text) from None
        except topics.UnknownTopicError:
            raise BadRequestError(404, f"topic {request.topic} is not found", request.id_text) from None


class _PrivateTopic:
    """An account's topic on one connection: something may happen to its events."""

    form = None

    def __init__(self, topic: str, events: EventLine, send: Callable[[bytes], None]) -> None:
        self._topic = topic
        self._events = events
        self._send = send

    def send(self, frame: bytes) -> None:
        """Send an event on, unless something happens to it."""
        self._events.send(self._topic, payload_of(frame), lambda message: self._send(text_frame(message)))
