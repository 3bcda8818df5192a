"""One connection that hears every channel and pattern this process listens to, and hears them again after an outage."""

from collections.abc import Callable
from typing import Any, Protocol

from millrace_bus.connection.address import Address
from millrace_bus.connection.connection import Wire, pack
from millrace_bus.connection.reconnecting import Link

_MESSAGE, _PATTERN_MESSAGE = b"message", b"pmessage"
_CONFIRMATIONS = (b"subscribe", b"psubscribe")


class Hearer(Protocol):
    """Who listens to one channel. All are called synchronously, from the connection's own turn."""

    def subscribed(self) -> None:
        """From now on nothing on the channel is missed."""

    def heard(self, data: bytes) -> None:
        """Take one message."""

    def deaf(self) -> None:
        """The connection is lost: messages are missed from now on, until `subscribed` again."""


class Subscription:
    """One hearer's hold on one channel or pattern."""

    def __init__(self, name: bytes, hearer: Hearer, *, is_pattern: bool) -> None:
        self.name, self.hearer, self.is_pattern = name, hearer, is_pattern


class _Bell:
    """Hears only that something came, or that something may have been missed."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring

    def subscribed(self) -> None:
        self._ring()

    def heard(self, data: bytes) -> None:
        self._ring()

    def deaf(self) -> None:
        pass


class Subscriptions:
    """Channels and patterns, each subscribed to once, whoever and how many listen."""

    def __init__(self, address: Address, name: str) -> None:
        self._link = Link(address, name, on_push=self._push, on_up=self._subscribe_all, on_down=self._tell_deaf)
        self._channels: dict[bytes, list[Subscription]] = {}
        self._patterns: dict[bytes, list[Subscription]] = {}
        self._confirmed: set[Subscription] = set()
        self._asked: dict[bytes, int] = {}
        """Confirmations still to come: only after the last one is it sure that no unsubscription is in between."""

    def add(self, channel: str, hearer: Hearer) -> Subscription:
        """Listen to a channel; `hearer.subscribed` tells when it is so."""
        return self._add(self._channels, Subscription(channel.encode(), hearer, is_pattern=False))

    def add_pattern(self, pattern: str, ring: Callable[[], None]) -> Subscription:
        """Call `ring` whenever a message comes on a channel of this pattern, and whenever one may have been missed."""
        return self._add(self._patterns, Subscription(pattern.encode(), _Bell(ring), is_pattern=True))

    def remove(self, subscription: Subscription) -> None:
        """Listen no longer; removing twice is harmless."""
        table = self._patterns if subscription.is_pattern else self._channels
        hearers = table.get(subscription.name, [])
        if subscription not in hearers:
            return
        # A new list: the old one may be being told a message just now.
        table[subscription.name] = [other for other in hearers if other is not subscription]
        self._confirmed.discard(subscription)
        if not table[subscription.name]:
            del table[subscription.name]
            verb = "PUNSUBSCRIBE" if subscription.is_pattern else "UNSUBSCRIBE"
            self._send(pack(verb, subscription.name))

    async def close(self) -> None:
        """End the connection for good."""
        await self._link.close()

    def _add(self, table: dict[bytes, list[Subscription]], subscription: Subscription) -> Subscription:
        table[subscription.name] = [*table.get(subscription.name, []), subscription]
        self._link.start()
        if self._link.wire is not None:
            # Also where others listen already: Redis confirms again, and so each hearer learns of it in turn.
            self._ask(self._link.wire, subscription)
        return subscription

    def _send(self, command: bytes) -> None:
        if self._link.wire is not None:
            # Confirmations come out of band: there is no reply.
            self._link.wire.send(command, ())

    def _ask(self, wire: Wire, subscription: Subscription) -> None:
        name = subscription.name
        self._asked[name] = self._asked.get(name, 0) + 1
        wire.send(pack("PSUBSCRIBE" if subscription.is_pattern else "SUBSCRIBE", name), ())

    async def _subscribe_all(self, wire: Wire) -> None:
        self._asked.clear()
        for table in (self._channels, self._patterns):
            for subscriptions in table.values():
                self._ask(wire, subscriptions[0])

    def _push(self, push: list[Any]) -> None:
        kind, name = push[0], push[1]
        if kind == _MESSAGE:
            for subscription in self._channels.get(name, ()):
                if subscription in self._confirmed:
                    subscription.hearer.heard(push[2])
        elif kind == _PATTERN_MESSAGE:
            for subscription in self._patterns.get(name, ()):
                subscription.hearer.heard(push[3])
        elif kind in _CONFIRMATIONS:
            self._confirm(name)

    def _confirm(self, name: bytes) -> None:
        self._asked[name] = awaited = self._asked.get(name, 1) - 1
        if awaited:
            return
        del self._asked[name]
        for subscription in (*self._channels.get(name, ()), *self._patterns.get(name, ())):
            if subscription not in self._confirmed:
                self._confirmed.add(subscription)
                subscription.hearer.subscribed()

    def _tell_deaf(self) -> None:
        confirmed, self._confirmed = self._confirmed, set()
        for subscription in confirmed:
            subscription.hearer.deaf()
