"""The hub of the market streams: events bare or wrapped as `{stream, data}`, in milliseconds or microseconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from millrace_simulator.binance.times import TimeUnit
from millrace_simulator.streaming.hub import Hub

Render = Callable[[TimeUnit], bytes]
"""Returns an event's JSON with its times in that unit."""


class StreamForm(NamedTuple):
    """The form in which a client takes its events."""

    time_unit: TimeUnit
    combined: bool
    """Whether an event is wrapped as `{stream, data}`."""


class MarketHub(Hub[StreamForm]):
    """The subscriptions of all clients of market streams."""

    def __init__(self) -> None:
        super().__init__()
        self.streams: set[str] = set()
        """Every stream that exists."""

    def publish(self, stream: str, render: Render) -> None:
        """Send an event to all clients of the stream, rendered once for each unit of time."""
        if not self.wanted(stream):
            return
        payloads: dict[TimeUnit, bytes] = {}

        def formed(form: StreamForm) -> bytes:
            payload = payloads.get(form.time_unit)
            if payload is None:
                payload = payloads[form.time_unit] = render(form.time_unit)
            return _wrap(stream, payload) if form.combined else payload

        self.deliver(stream, formed)


def _wrap(stream: str, payload: bytes) -> bytes:
    return b'{"stream":"%b","data":%b}' % (stream.encode(), payload)
