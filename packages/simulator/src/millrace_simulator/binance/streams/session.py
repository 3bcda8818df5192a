"""A client of market streams: its subscriptions and the requests that change them."""

from __future__ import annotations

from collections.abc import Iterable

from millrace_simulator.binance.streams.hub import MarketHub, StreamForm
from millrace_simulator.binance.streams.requests import (
    BadRequestError,
    GetCombined,
    ListSubscriptions,
    Request,
    RequestId,
    SetCombined,
    Subscribe,
    Unsubscribe,
    answer,
    parse_request,
    refusal,
)
from millrace_simulator.binance.times import TimeUnit
from millrace_simulator.streaming.connection import ClientConnection
from millrace_simulator.streaming.frames import text_frame


class StreamSession:
    """One connection's subscriptions.

    Requests are answered in the order in which they came. Answers are never wrapped, events are while `combined`.
    """

    def __init__(
        self, hub: MarketHub, connection: ClientConnection, *, combined: bool, time_unit: TimeUnit, max_streams: int
    ) -> None:
        self.combined = combined
        self.time_unit = time_unit
        self.send = connection.send
        self._hub = hub
        self._max_streams = max_streams
        self._streams: dict[str, None] = {}

    @property
    def form(self) -> StreamForm:
        """Return the form in which it takes its events."""
        return StreamForm(self.time_unit, self.combined)

    def subscribe(self, streams: Iterable[str], request_id: RequestId = None) -> None:
        """Subscribe to streams.

        Raises:
            BadRequestError: a stream does not exist, or they are more than a connection may have; nothing changed.
        """
        wanted = dict.fromkeys(streams)
        if not self._hub.streams.issuperset(wanted):
            raise BadRequestError(2, "Invalid request: invalid stream", request_id)
        if len(self._streams | wanted) > self._max_streams:
            raise BadRequestError(2, f"Invalid request: more than {self._max_streams} streams", request_id)
        for stream in wanted:
            self._streams[stream] = None
            self._hub.subscribe(stream, self)

    def unsubscribe(self, streams: Iterable[str]) -> None:
        """Unsubscribe from streams."""
        for stream in streams:
            self._streams.pop(stream, None)
            self._hub.unsubscribe(stream, self)

    def handle(self, text: str) -> None:
        """Carry out a request and answer it."""
        try:
            request = parse_request(text)
            payload = answer(request.id, self._perform(request))
        except BadRequestError as error:
            payload = refusal(error)
        self.send(text_frame(payload))

    def close(self) -> None:
        """Unsubscribe from all streams."""
        self.unsubscribe(tuple(self._streams))

    def _perform(self, request: Request) -> object:
        match request:
            case Subscribe(request_id, streams):
                self.subscribe(streams, request_id)
            case Unsubscribe(_, streams):
                self.unsubscribe(streams)
            case SetCombined(_, combined):
                self.combined = combined
            case GetCombined():
                return self.combined
            case ListSubscriptions():
                return list(self._streams)
        return None
