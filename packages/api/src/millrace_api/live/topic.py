"""One stream that clients watch: followed once, each of its messages encoded once."""

import time
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from millrace_api.live import messages
from millrace_bus import Bus, Update
from millrace_core.ids import MessageId
from millrace_core.messages import MessageType, Outgoing, encode
from millrace_core.names import StreamName

KEPT = 512
"""Newest messages kept in memory: clients that reconnect, or fell behind, continue without the journal."""
FRESH_S: Final = 0.5
"""How long an encoded state serves those who join: encoding that of a deep book takes milliseconds."""
_TYPES: dict[str, MessageType] = {"delta": "delta", "status": "status", "response": "response"}


class TopicSubscriber(Protocol):
    """Receives a topic's messages."""

    def begin(self) -> None:
        """Start, or start again, with the whole state."""

    def deliver(self, message: bytes) -> None:
        """Take one encoded message."""

    def fail(self, reason: str) -> None:
        """Note that no more messages will come."""


class _Snapshot(NamedTuple):
    """The whole state after a message, encoded."""

    id: MessageId
    encoded_s: float
    text: bytes


class Topic:
    """A stream and its subscribers."""

    def __init__(self, bus: Bus, name: StreamName, on_failure: "Callable[[Topic, Exception], None]") -> None:
        """Follow the stream; `on_failure` is called once when no more updates can be delivered."""
        self.name = name
        self.subscribers: set[TopicSubscriber] = set()
        self._recent: deque[tuple[MessageId, bytes]] = deque(maxlen=KEPT)
        self._snapshot: _Snapshot | None = None
        self._follower = bus.follow(name, self._on_update, exact=True, on_failed=lambda error: on_failure(self, error))

    @property
    def is_ready(self) -> bool:
        """Tell whether the state is complete and trusted, so that a subscriber may start with it."""
        return self._follower.trusted

    @property
    def last(self) -> MessageId | None:
        """Return the id of the newest message."""
        return self._follower.last

    def beginning(self) -> bytes:
        """Return the first message of a subscription: the whole state, or a note that answers follow from now on."""
        last = self._follower.last
        if not self.name.has_snapshots or last is None:
            return messages.note("live", self.name, last)
        if self._snapshot is None or self._snapshot.id != last:
            text = messages.snapshot(self.name, last, self._follower.state)
            self._snapshot = _Snapshot(last, time.monotonic(), text)
        return self._snapshot.text

    def joining(self) -> list[bytes]:
        """Return the first messages for a new subscriber: the whole state of now, or of a moment ago and what followed.

        However many join, the state is encoded once in `FRESH_S`.
        """
        known = self._snapshot
        if known is None or time.monotonic() - known.encoded_s >= FRESH_S:
            return [self.beginning()]
        later = self.after(known.id)
        return [self.beginning()] if later is None else [known.text, *later]

    def after(self, since: MessageId) -> list[bytes] | None:
        """Return the messages after `since`; None if memory does not hold all of them."""
        if not self.is_ready or self.last is None:
            return None
        if since == self.last:
            return []
        if not any(at == since or at.follows(since) for at, _ in self._recent):
            return None
        return [message for at, message in self._recent if at > since]

    async def ready(self) -> None:
        """Wait until a subscriber may start."""
        await self._follower.ready()

    async def close(self) -> None:
        """Stop following the stream."""
        await self._follower.close()

    def _on_update(self, update: Update) -> None:
        if update.kind == "snapshot":
            # Messages that the snapshot includes were not passed on one by one.
            if self._recent and self._recent[-1][0] != update.id:
                self._recent.clear()
            for subscriber in tuple(self.subscribers):
                subscriber.begin()
        elif update.kind == "untrusted":
            untrusted = messages.note("untrusted", self.name, update.id)
            for subscriber in tuple(self.subscribers):
                subscriber.deliver(untrusted)
        elif update.id is not None:
            self._fan_out(update.id, update)

    def _fan_out(self, at: MessageId, update: Update) -> None:
        message = self._encoded(at, update)
        # A note of the writer's silence is no message of its own: it carries the id of the last one.
        if not self._recent or at > self._recent[-1][0]:
            self._recent.append((at, message))
        for subscriber in tuple(self.subscribers):
            subscriber.deliver(message)

    def _encoded(self, at: MessageId, update: Update) -> bytes:
        whole = Outgoing(str(at), _TYPES[update.kind], update.timestamp, update.trace, update.data)
        return messages.framed(self.name, encode(whole))
