"""One WebSocket: what it subscribed to, and the bound on what waits for it."""

import time
from collections.abc import Callable
from typing import Protocol

from millrace_api.access.principal import Principal
from millrace_api.live import messages
from millrace_api.live.subscription import Subscription
from millrace_api.metrics import Metrics
from millrace_core.names import StreamName

MOST_SUBSCRIPTIONS = 200
FULL_BYTES = 1_000_000
"""What may wait for one client in our memory; beyond that it gets the newest state instead of every message."""
STALLED_S = 30.0
"""A client that has not read for so long is told to go."""
TOO_SLOW = 1013
NOT_ALLOWED = 1008
GOING_AWAY = 1001


class Sink(Protocol):
    """The socket's side of a client."""

    def send(self, message: bytes) -> None:
        """Send a text message; what the socket does not take waits in memory."""

    def close(self, code: int, reason: str) -> None:
        """Say why, and close; what still waits need not be sent."""


class Client:
    """A client's subscriptions."""

    def __init__(self, principal: Principal, address: str, sink: Sink, metrics: Metrics) -> None:
        self.principal = principal
        self.address = address
        self.subscriptions: dict[StreamName, Subscription] = {}
        self.on_writable: list[Callable[[], None]] = []
        """Called once each when the client reads again."""
        self._sink = sink
        self._metrics = metrics
        self._full_since_s: float | None = None
        self.is_closed = False

    @property
    def is_full(self) -> bool:
        """Tell whether more waits for the client than may."""
        return self._full_since_s is not None

    def send(self, message: bytes) -> None:
        """Send a message."""
        if not self.is_closed:
            self._metrics.live_messages.inc()
            self._sink.send(message)

    def filled(self) -> None:
        """Too much waits for the client."""
        if self._full_since_s is None:
            self._full_since_s = time.monotonic()

    def drained(self) -> None:
        """The client has read most of what waited for it."""
        self._full_since_s = None
        waiting, self.on_writable = self.on_writable, []
        for call in waiting:
            call()
        for subscription in tuple(self.subscriptions.values()):
            if self.is_full:
                return
            subscription.catch_up()

    def fell_behind(self, subscription: Subscription) -> None:
        """Note a message that the client was too slow for; where no later state makes up for it, it must go."""
        self._metrics.live_conflated.inc()
        if not subscription.topic.name.has_snapshots:
            self.dismiss(TOO_SLOW, "too slow for a stream of answers: come back and subscribe with `since`")

    def check_stalled(self) -> None:
        """Let go of a client that has not read for long."""
        if self._full_since_s is not None and time.monotonic() - self._full_since_s > STALLED_S:
            self.dismiss(TOO_SLOW, f"nothing was read for {STALLED_S:.0f} s")

    def dismiss(self, code: int, reason: str) -> None:
        """Tell the client to go."""
        if self.is_closed:
            return
        if code == TOO_SLOW:
            self._metrics.live_dropped.inc()
        self.is_closed = True
        self._sink.close(code, reason)

    def refuse(self, stream: str | None, detail: str) -> None:
        """Say that a command is not carried out."""
        self.send(messages.note("error", stream, detail=detail))
