"""Subscriptions to streams, and delivery of events to all subscribers.

An event is rendered only if it has subscribers, once for each form that its clients take it in, and framed once for all
clients of that form. What a form is, the dialect decides.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar

from millrace_simulator.streaming.frames import text_frame

Form = TypeVar("Form", bound=Hashable)
FormTaken = TypeVar("FormTaken", bound=Hashable, covariant=True)


class Subscriber(Protocol[FormTaken]):
    """A client of streams."""

    @property
    def form(self) -> FormTaken:
        """Return the form in which it takes its events."""

    def send(self, frame: bytes) -> None:
        """Take one framed message, without blocking."""


class Hub(Generic[Form]):
    """The subscriptions of all clients.

    Any name can be subscribed: one that is no stream is simply never published.
    """

    def __init__(self) -> None:
        self._audiences: dict[str, dict[Subscriber[Form], None]] = {}

    def subscribe(self, stream: str, subscriber: Subscriber[Form]) -> None:
        """Subscribe a client to a stream; harmless if it is subscribed already."""
        self._audiences.setdefault(stream, {})[subscriber] = None

    def unsubscribe(self, stream: str, subscriber: Subscriber[Form]) -> None:
        """Stop sending the stream to the client; harmless if it was not sent."""
        audience = self._audiences.get(stream)
        if audience is None:
            return
        audience.pop(subscriber, None)
        if not audience:
            del self._audiences[stream]

    def wanted(self, stream: str) -> bool:
        """Tell whether a stream has subscribers."""
        return stream in self._audiences

    def deliver(self, stream: str, render: Callable[[Form], bytes]) -> None:
        """Send an event to all clients of the stream; without any, `render` is never called."""
        frames: dict[Form, bytes] = {}
        for subscriber in self._audiences.get(stream, ()):
            form = subscriber.form
            frame = frames.get(form)
            if frame is None:
                frame = frames[form] = text_frame(render(form))
            subscriber.send(frame)
