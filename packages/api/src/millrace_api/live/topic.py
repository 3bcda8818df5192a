"""One stream that clients watch: followed once, each message encoded once."""

from collections import deque
from typing import TYPE_CHECKING

from millrace_api.live import messages
from millrace_bus import Bus, Update
from millrace_core.ids import MessageId
from millrace_core.messages import MessageType, Outgoing, encode
from millrace_core.names import StreamName

if TYPE_CHECKING:
    from millrace_api.live.subscription import Subscription

KEPT = 512
"""Newest messages, with which clients that come back, or are behind, go on without reading the journal."""
_TYPES: dict[str, MessageType] = {"delta": "delta", "status": "status", "response": "response"}


class Topic:
    """A stream, and who watches it."""

    def __init__(self, bus: Bus, name: StreamName) -> None:
        self.name = name
        self.subscriptions: set[Subscription] = set()
        self._recent: deque[tuple[MessageId, bytes]] = deque(maxlen=KEPT)
        self._snapshot: tuple[MessageId, bytes] | None = None
        self._follower = bus.follow(name, self._heard)

    @property
    def is_ready(self) -> bool:
        """Tell whether the state is whole and right, so that somebody may start with it."""
        return self._follower.trusted

    @property
    def last(self) -> MessageId | None:
        """Return the id of the newest message."""
        return self._follower.last

    def beginning(self) -> bytes:
        """Return what a subscription begins with: the whole state, or that answers come from now on."""
        last = self._follower.last
        if not self.name.has_snapshots or last is None:
            return messages.note("live", self.name, last)
        if self._snapshot is None or self._snapshot[0] != last:
            self._snapshot = (last, messages.snapshot(self.name, last, self._follower.state))
        return self._snapshot[1]

    def after(self, since: MessageId) -> list[bytes] | None:
        """Return the messages after one; None when some of them are not kept here."""
        if not self.is_ready or self.last is None:
            return None
        if since == self.last:
            return []
        if not any(at == since or at.follows(since) for at, _ in self._recent):
            return None
        return [message for at, message in self._recent if at > since]

    async def ready(self) -> None:
        """Wait until somebody may start."""
        await self._follower.ready()

    async def close(self) -> None:
        """Follow the stream no longer."""
        await self._follower.close()

    def _heard(self, update: Update) -> None:
        if update.kind == "snapshot":
            # What it took in whole was not told one by one.
            if self._recent and self._recent[-1][0] != update.id:
                self._recent.clear()
            for subscription in tuple(self.subscriptions):
                subscription.begin()
        elif update.kind == "untrusted":
            untrusted = messages.note("untrusted", self.name, update.id)
            for subscription in tuple(self.subscriptions):
                subscription.hand(untrusted)
        elif update.id is not None:
            self._fan_out(update.id, update)

    def _fan_out(self, at: MessageId, update: Update) -> None:
        message = self._encoded(at, update)
        # That the writer is silent is no message of its own: it has the last one's id.
        if not self._recent or at > self._recent[-1][0]:
            self._recent.append((at, message))
        for subscription in tuple(self.subscriptions):
            subscription.hand(message)

    def _encoded(self, at: MessageId, update: Update) -> bytes:
        whole = Outgoing(str(at), _TYPES[update.kind], update.timestamp, update.trace, update.data)
        return messages.framed(self.name, encode(whole))
