"""Subscriptions to streams."""

from __future__ import annotations

from dataclasses import dataclass, field

from millrace_simulator.binance.streams.hub import MarketHub, StreamForm
from millrace_simulator.binance.times import TimeUnit
from millrace_simulator.streaming.frames import text_frame


@dataclass(eq=False)
class Ear:
    """A listener that keeps what it was sent."""

    combined: bool = False
    time_unit: TimeUnit = TimeUnit.MILLISECOND
    received: list[bytes] = field(default_factory=list)

    @property
    def form(self) -> StreamForm:
        """Return the form that it asked for."""
        return StreamForm(self.time_unit, self.combined)

    def send(self, frame: bytes) -> None:
        """Keep the frame."""
        self.received.append(frame)


class Rendering:
    """An event that counts how often it is rendered."""

    def __init__(self) -> None:
        self.units: list[TimeUnit] = []

    def __call__(self, unit: TimeUnit) -> bytes:
        """Return a payload that tells the unit."""
        self.units.append(unit)
        return b'{"T":%d}' % unit


def test_an_event_that_nobody_wants_is_never_rendered() -> None:
    """Rendering costs nothing without a listener, and again after the last has left."""
    hub, ear, rendering = MarketHub(), Ear(), Rendering()
    hub.subscribe("a@trade", ear)
    hub.unsubscribe("a@trade", ear)
    hub.publish("a@trade", rendering)
    assert rendering.units == []
    assert not hub.wanted("a@trade")


def test_an_event_is_framed_once_for_all_of_a_form() -> None:
    """Listeners of the same form are handed the very same bytes object."""
    hub, ears, rendering = MarketHub(), [Ear() for _ in range(3)], Rendering()
    for ear in ears:
        hub.subscribe("a@trade", ear)
    hub.publish("a@trade", rendering)
    assert rendering.units == [TimeUnit.MILLISECOND]
    assert len({id(ear.received[0]) for ear in ears}) == 1


def test_each_listener_gets_the_form_it_asked_for() -> None:
    """Combined listeners get the stream's name around the event; microseconds are a form of their own."""
    hub = MarketHub()
    raw, combined, fine = Ear(), Ear(combined=True), Ear(time_unit=TimeUnit.MICROSECOND)
    for ear in (raw, combined, fine):
        hub.subscribe("a@trade", ear)
    hub.publish("a@trade", Rendering())
    assert raw.received == [text_frame(b'{"T":1}')]
    assert combined.received == [text_frame(b'{"stream":"a@trade","data":{"T":1}}')]
    assert fine.received == [text_frame(b'{"T":1000}')]


def test_subscribing_twice_delivers_once() -> None:
    """A second SUBSCRIBE of the same stream changes nothing, nor does leaving one never joined."""
    hub, ear = MarketHub(), Ear()
    hub.subscribe("a@trade", ear)
    hub.subscribe("a@trade", ear)
    hub.unsubscribe("b@trade", ear)
    hub.publish("a@trade", Rendering())
    assert len(ear.received) == 1
