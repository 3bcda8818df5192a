"""One WebSocket client: its subscriptions, its sent messages, and the limit on its waiting messages."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from millrace_api.access.principal import Principal
from millrace_api.live import messages
from millrace_api.live.topic import Topic
from millrace_api.metrics import Metrics
from millrace_core.ids import MessageId
from millrace_core.names import StreamName

MAX_SUBSCRIPTIONS = 200
FULL_BYTES = 1_000_000
"""Bytes that may wait in memory for one client; beyond that it gets the newest state instead of every message."""
MAX_REJECTED = 1_000
"""Commands of one connection that may be refused."""
STALLED_S = 30.0
"""A client that reads nothing for this long is disconnected."""

# Close codes, RFC 6455 and its registry.
GOING_AWAY = 1001
NOT_ALLOWED = 1008
INTERNAL_ERROR = 1011
TOO_SLOW = 1013


class Sink(Protocol):
    """The socket of a client."""

    def send(self, message: bytes) -> None:
        """Send a text message; what the socket cannot take yet waits in memory."""

    def close(self, code: int, reason: str) -> None:
        """Send a close frame and disconnect; messages that still wait need not be sent."""


class Client:
    """A connected client and its subscriptions."""

    def __init__(self, principal: Principal, address: str, sink: Sink, metrics: Metrics) -> None:
        self.principal = principal
        self.address = address
        self.subscriptions: dict[StreamName, ClientSubscription] = {}
        self.on_writable: list[Callable[[], None]] = []
        """Called once each when the client reads again."""
        self._sink = sink
        self._metrics = metrics
        self._full_since_s: float | None = None
        self.is_closed = False
        self._rejected = 0

    @property
    def is_full(self) -> bool:
        """Tell whether more than `FULL_BYTES` wait for the client."""
        return self._full_since_s is not None

    def send(self, message: bytes) -> None:
        """Send a message."""
        if not self.is_closed:
            self._metrics.live_messages.inc()
            self._sink.send(message)

    def filled(self) -> None:
        """Note that too many bytes wait for the client."""
        if self._full_since_s is None:
            self._full_since_s = time.monotonic()

    def drained(self) -> None:
        """Note that the client has read most waiting messages, and send it the ones it missed."""
        self._full_since_s = None
        waiting, self.on_writable = self.on_writable, []
        for call in waiting:
            call()
        for subscription in tuple(self.subscriptions.values()):
            if self.is_full:
                return
            subscription.catch_up()

    def fell_behind(self, topic: Topic) -> None:
        """Note a skipped message; disconnect the client if no later state replaces it."""
        self._metrics.live_conflated.inc()
        if not topic.name.has_snapshots:
            self.disconnect(TOO_SLOW, "client too slow: reconnect and subscribe with `since`")

    async def writable(self) -> None:
        """Wait until the client has read most waiting messages, or is disconnected because it stalls."""
        if self.is_full and not self.is_closed:
            reads_again = asyncio.Event()
            self.on_writable.append(reads_again.set)
            await reads_again.wait()

    def check_stalled(self) -> None:
        """Disconnect the client when it has read nothing for `STALLED_S`."""
        if self._full_since_s is not None and time.monotonic() - self._full_since_s > STALLED_S:
            self.disconnect(TOO_SLOW, f"client read nothing for {STALLED_S:.0f} s")

    def disconnect(self, code: int, reason: str) -> None:
        """Close the connection and say why; harmless when it is closed already."""
        if self.is_closed:
            return
        if code == TOO_SLOW:
            self._metrics.live_dropped.inc()
        self.is_closed = True
        self._sink.close(code, reason)

    def end(self) -> None:
        """Close the connection of a token that is no longer in force."""
        self.disconnect(NOT_ALLOWED, "this token was revoked or has expired")

    def reject(self, stream: str | None, detail: str) -> None:
        """Send the client the reason why a command was not carried out."""
        self._rejected += 1
        self.send(messages.note("error", stream, detail=detail))
        if self._rejected >= MAX_REJECTED:
            self.disconnect(NOT_ALLOWED, f"{MAX_REJECTED:,} commands were not carried out")


class ClientSubscription:
    """One stream as one client receives it: the topic's subscriber."""

    def __init__(self, client: Client, topic: Topic) -> None:
        self.topic = topic
        self.silence: asyncio.Task[None] | None = None
        """Waits for the stream to begin, to tell the client if it does not."""
        self._client = client
        self.replaying: asyncio.Task[None] | None = None
        """Sends older messages."""
        self._is_live = False
        """Whether messages are sent as they come."""
        self._is_replaying = False
        """Whether older messages are being sent; live ones follow by themselves."""
        self._skipped = 0
        """Messages since the client fell behind."""

    @property
    def is_open(self) -> bool:
        """Tell whether the client still wants the stream."""
        return not self._client.is_closed and self._client.subscriptions.get(self.topic.name) is self

    def start(self) -> None:
        """Send the whole state now, or as soon as it is known."""
        if self.topic.is_ready:
            self._begin(self.topic.joining())

    def begin(self) -> None:
        """Send the whole state; live messages follow."""
        self._begin()

    def _begin(self, first: Sequence[bytes] | None = None) -> None:
        if self._is_replaying:
            return
        if self._client.is_full:
            self._skip()
            return
        if self._skipped:
            self._client.send(messages.note("skipped", self.topic.name, messages=self._skipped))
            self._skipped = 0
        self._is_live = True
        for message in [self.topic.beginning()] if first is None else first:
            self._client.send(message)

    def deliver(self, message: bytes) -> None:
        """Send a message, or count it as skipped when the client is too slow."""
        if not self._is_live:
            if self._skipped:
                self._skip()
        elif self._client.is_full:
            self._skip()
        else:
            self._client.send(message)

    def fail(self, reason: str) -> None:
        """Disconnect the client, since the stream cannot be delivered to it any more."""
        self._client.disconnect(INTERNAL_ERROR, reason)

    def replay(self) -> None:
        """Hold live messages back: older ones are being sent first."""
        self._is_replaying = True

    def resume(self, since: MessageId) -> bool:
        """Send what came after `since` and go live; return False when memory does not reach back that far."""
        found = self.topic.after(since)
        if found is None:
            return False
        self._is_replaying = False
        self._is_live = True
        for message in found:
            self._client.send(message)
        self._client.send(messages.note("resumed", self.topic.name, self.topic.last))
        return True

    def give_up_replay(self) -> None:
        """Send the whole state instead of the older messages."""
        self._is_replaying = False
        self.start()

    def catch_up(self) -> None:
        """Send the whole state to a client that skipped messages and reads again."""
        if self._skipped and self.topic.is_ready:
            self.begin()

    def _skip(self) -> None:
        self._is_live = False
        self._skipped += 1
        self._client.fell_behind(self.topic)
