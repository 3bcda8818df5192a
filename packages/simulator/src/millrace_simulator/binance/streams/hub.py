"""Subscriptions to market streams, and delivery of events to all subscribers.

An event is rendered only if it has subscribers, once for each form that is in use (raw or combined, milliseconds or
microseconds), and framed once for all clients of that form.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from millrace_simulator.binance.streams.frames import text_frame
from millrace_simulator.binance.streams.times import TimeUnit


class Listener(Protocol):
    """A client of market streams."""

    @property
    def combined(self) -> bool:
        """Tell whether its events are wrapped as `{stream, data}`."""

    @property
    def time_unit(self) -> TimeUnit:
        """Return the unit of its events' times."""

    def send(self, frame: bytes) -> None:
        """Take one framed message, without blocking."""


Render = Callable[[TimeUnit], bytes]
"""Returns an event's JSON with its times in that unit."""


class Hub:
    """The subscriptions of all clients.

    Any name can be subscribed, as at Binance: one that is no stream is simply never published.
    """

    def __init__(self) -> None:
        self._audiences: dict[str, dict[Listener, None]] = {}

    def subscribe(self, stream: str, listener: Listener) -> None:
        """Subscribe the listener to a stream; harmless if it is subscribed already."""
        self._audiences.setdefault(stream, {})[listener] = None

    def unsubscribe(self, stream: str, listener: Listener) -> None:
        """Stop sending the stream to the listener; harmless if it was not sent."""
        audience = self._audiences.get(stream)
        if audience is None:
            return
        audience.pop(listener, None)
        if not audience:
            del self._audiences[stream]

    def wanted(self, stream: str) -> bool:
        """Tell whether a stream has subscribers."""
        return stream in self._audiences

    def publish(self, stream: str, render: Render) -> None:
        """Send an event to all clients of the stream; without any, `render` is never called."""
        audience = self._audiences.get(stream)
        if audience is not None:
            _send(stream, audience, render)


def _send(stream: str, audience: Collection[Listener], render: Render) -> None:
    payloads: dict[TimeUnit, bytes] = {}
    frames: dict[tuple[TimeUnit, bool], bytes] = {}
    for listener in audience:
        form = (listener.time_unit, listener.combined)
        frame = frames.get(form)
        if frame is None:
            payload = payloads.get(form[0])
            if payload is None:
                payload = payloads[form[0]] = render(form[0])
            frame = frames[form] = text_frame(_wrap(stream, payload) if form[1] else payload)
        listener.send(frame)


def _wrap(stream: str, payload: bytes) -> bytes:
    return b'{"stream":"%b","data":%b}' % (stream.encode(), payload)
