"""One connection for every channel and pattern that this process listens to, subscribed again after an outage."""

from collections.abc import Callable
from typing import Any, Protocol

from millrace_bus.connection.address import Address
from millrace_bus.connection.connection import Connection, pack
from millrace_bus.connection.reconnecting import ReconnectingConnection

_MESSAGE, _PATTERN_MESSAGE = b"message", b"pmessage"
_CONFIRMATIONS = (b"subscribe", b"psubscribe")


class Subscriber(Protocol):
    """Listens to one channel. All methods are called synchronously, in the turn of the connection."""

    def subscribed(self) -> None:
        """Note that from now on no message on the channel is missed."""

    def on_message(self, data: bytes) -> None:
        """Take one message."""

    def disconnected(self) -> None:
        """The connection is lost: messages are missed from now on, until `subscribed` again."""


class Subscription:
    """Handle of one subscriber's subscription to a channel or pattern."""

    def __init__(self, name: bytes, subscriber: Subscriber, *, is_pattern: bool) -> None:
        self.name, self.subscriber, self.is_pattern = name, subscriber, is_pattern


class _Changes:
    """Passes on the names of the channels on which messages come."""

    def __init__(self, on_change: Callable[[bytes | None], None]) -> None:
        self._on_change = on_change

    def subscribed(self) -> None:
        self._on_change(None)

    def on_message(self, data: bytes) -> None:
        self._on_change(data)

    def disconnected(self) -> None:
        pass


class Subscriptions:
    """Channels and patterns; each is subscribed to once, whatever the number of subscribers."""

    def __init__(self, address: Address, name: str) -> None:
        self._reconnecting = ReconnectingConnection(
            address, name, on_push=self._push, on_up=self._subscribe_all, on_down=self._lost
        )
        self._channels: dict[bytes, list[Subscription]] = {}
        self._patterns: dict[bytes, list[Subscription]] = {}
        self._confirmed: set[Subscription] = set()
        self._asked: dict[bytes, int] = {}
        """Confirmations still to come; after the last one, no unsubscription can be in between."""

    def add(self, channel: str, subscriber: Subscriber) -> Subscription:
        """Listen to a channel; `subscriber.subscribed` is called once it is subscribed."""
        return self._add(self._channels, Subscription(channel.encode(), subscriber, is_pattern=False))

    def add_pattern(self, pattern: str, on_change: Callable[[bytes | None], None]) -> Subscription:
        """Call `on_change` with the channel's name for each message on a channel of this pattern.

        It is called with None whenever messages may have been missed.
        """
        return self._add(self._patterns, Subscription(pattern.encode(), _Changes(on_change), is_pattern=True))

    def remove(self, subscription: Subscription) -> None:
        """Listen no longer; removing twice is harmless."""
        table = self._patterns if subscription.is_pattern else self._channels
        present = table.get(subscription.name, [])
        if subscription not in present:
            return
        # A new list: a message may be going out to the old one just now.
        table[subscription.name] = [other for other in present if other is not subscription]
        self._confirmed.discard(subscription)
        if not table[subscription.name]:
            del table[subscription.name]
            verb = "PUNSUBSCRIBE" if subscription.is_pattern else "UNSUBSCRIBE"
            self._send(pack(verb, subscription.name))

    async def close(self) -> None:
        """End the connection for good."""
        await self._reconnecting.close()

    def _add(self, table: dict[bytes, list[Subscription]], subscription: Subscription) -> Subscription:
        table[subscription.name] = [*table.get(subscription.name, []), subscription]
        self._reconnecting.start()
        if self._reconnecting.connection is not None:
            # Also where others listen already: Redis confirms again, and so each subscriber learns of it in turn.
            self._ask(self._reconnecting.connection, subscription)
        return subscription

    def _send(self, command: bytes) -> None:
        if self._reconnecting.connection is not None:
            # Confirmations come out of band: there is no reply.
            self._reconnecting.connection.send(command, ())

    def _ask(self, connection: Connection, subscription: Subscription) -> None:
        name = subscription.name
        self._asked[name] = self._asked.get(name, 0) + 1
        connection.send(pack("PSUBSCRIBE" if subscription.is_pattern else "SUBSCRIBE", name), ())

    async def _subscribe_all(self, connection: Connection) -> None:
        self._asked.clear()
        for table in (self._channels, self._patterns):
            for subscriptions in table.values():
                self._ask(connection, subscriptions[0])

    def _push(self, push: list[Any]) -> None:
        kind, name = push[0], push[1]
        if kind == _MESSAGE:
            for subscription in self._channels.get(name, ()):
                if subscription in self._confirmed:
                    subscription.subscriber.on_message(push[2])
        elif kind == _PATTERN_MESSAGE:
            for subscription in self._patterns.get(name, ()):
                subscription.subscriber.on_message(push[2])
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
                subscription.subscriber.subscribed()

    def _lost(self) -> None:
        confirmed, self._confirmed = self._confirmed, set()
        for subscription in confirmed:
            subscription.subscriber.disconnected()
