"""One connection for every channel and pattern that this process listens to, subscribed again after an outage."""

import logging
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from millrace_bus.connection.address import Address
from millrace_bus.connection.connection import Connection, pack
from millrace_bus.connection.reconnecting import ReconnectingConnection
from millrace_bus.errors import BusError, CommandRefused, TaskFailed

_MESSAGE, _PATTERN_MESSAGE = b"message", b"pmessage"
_CONFIRMATIONS = (b"subscribe", b"psubscribe")

_log = logging.getLogger("millrace.bus")


class _Listener(Protocol):
    """Listens to channels. All methods are called synchronously, in the turn of the connection."""

    def subscribed(self) -> None:
        """Note that from now on no message is missed."""

    def disconnected(self) -> None:
        """The connection is lost: messages are missed from now on, until `subscribed` again."""

    def failed(self, error: BusError) -> None:
        """No message will come any more: Redis refuses the channel, or an unforeseen error ended the connection."""


class Subscriber(_Listener, Protocol):
    """Listens to one channel."""

    def on_message(self, data: bytes) -> None:
        """Take one message."""


class PatternSubscriber(_Listener, Protocol):
    """Listens to all channels of a pattern."""

    def on_pattern_message(self, channel: bytes, data: bytes) -> None:
        """Take one message, and the name of the channel on which it came."""


class ChannelSubscription:
    """Handle of one subscriber's subscription to a channel or pattern."""

    def __init__(
        self, name: bytes, subscriber: _Listener, receive: Callable[[bytes, bytes], None], *, is_pattern: bool
    ) -> None:
        self.name, self.subscriber, self.is_pattern = name, subscriber, is_pattern
        self.receive = receive
        """Called with the name of the channel and the message."""


class _Changes:
    """Passes on the names of the channels on which messages come."""

    def __init__(self, on_change: Callable[[bytes | None], None]) -> None:
        self._on_change = on_change

    def subscribed(self) -> None:
        self._on_change(None)

    def on_pattern_message(self, channel: bytes, data: bytes) -> None:
        self._on_change(channel)

    def disconnected(self) -> None:
        pass

    def failed(self, error: BusError) -> None:
        # Those that wait for changes also poll.
        _log.error("changes are noticed late: %s", error)


class Subscriptions:
    """Channels and patterns; each is subscribed to once, whatever the number of subscribers."""

    def __init__(self, address: Address, name: str) -> None:
        self._address, self._name = address, name
        self._reconnecting = self._connection()
        self._channels: dict[bytes, list[ChannelSubscription]] = {}
        self._patterns: dict[bytes, list[ChannelSubscription]] = {}
        self._confirmed: set[ChannelSubscription] = set()
        self._asked: dict[bytes, int] = {}
        """Confirmations still to come; after the last one, no unsubscription can be in between."""
        self._order: deque[tuple[bytes, bool]] = deque()
        """Names in the order of their confirmations, and whether each is a pattern: a refusal names no channel."""

    def add(self, channel: str, subscriber: Subscriber) -> ChannelSubscription:
        """Listen to a channel; `subscriber.subscribed` is called once it is subscribed."""
        on_message = subscriber.on_message
        return self._add(
            self._channels,
            ChannelSubscription(channel.encode(), subscriber, lambda _, data: on_message(data), is_pattern=False),
        )

    def add_pattern(self, pattern: str, subscriber: PatternSubscriber) -> ChannelSubscription:
        """Listen to all channels of a pattern; `subscriber.subscribed` is called once it is subscribed."""
        return self._add(
            self._patterns,
            ChannelSubscription(pattern.encode(), subscriber, subscriber.on_pattern_message, is_pattern=True),
        )

    def watch_pattern(self, pattern: str, on_change: Callable[[bytes | None], None]) -> ChannelSubscription:
        """Call `on_change` with the channel's name for each message on a channel of this pattern.

        It is called with None whenever messages may have been missed.
        """
        return self.add_pattern(pattern, _Changes(on_change))

    def remove(self, subscription: ChannelSubscription) -> None:
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

    def _connection(self) -> ReconnectingConnection:
        return ReconnectingConnection(
            self._address,
            self._name,
            on_push=self._push,
            on_refused=self._refused,
            on_up=self._subscribe_all,
            on_down=self._lost,
            on_failed=self._failed,
        )

    def _add(
        self, table: dict[bytes, list[ChannelSubscription]], subscription: ChannelSubscription
    ) -> ChannelSubscription:
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

    def _ask(self, connection: Connection, subscription: ChannelSubscription) -> None:
        name = subscription.name
        self._asked[name] = self._asked.get(name, 0) + 1
        self._order.append((name, subscription.is_pattern))
        connection.send(pack("PSUBSCRIBE" if subscription.is_pattern else "SUBSCRIBE", name), ())

    async def _subscribe_all(self, connection: Connection) -> None:
        self._asked.clear()
        self._order.clear()
        for table in (self._channels, self._patterns):
            for subscriptions in table.values():
                self._ask(connection, subscriptions[0])

    def _push(self, push: list[Any]) -> None:
        kind, name = push[0], push[1]
        if kind == _MESSAGE:
            for subscription in self._channels.get(name, ()):
                if subscription in self._confirmed:
                    subscription.receive(name, push[2])
        elif kind == _PATTERN_MESSAGE:
            for subscription in self._patterns.get(name, ()):
                subscription.receive(push[2], push[3])
        elif kind in _CONFIRMATIONS:
            self._confirm(name)

    def _confirm(self, name: bytes) -> None:
        if self._order:
            self._order.popleft()
        if self._is_awaited(name):
            return
        for subscription in (*self._channels.get(name, ()), *self._patterns.get(name, ())):
            if subscription not in self._confirmed:
                self._confirmed.add(subscription)
                subscription.subscriber.subscribed()

    def _is_awaited(self, name: bytes) -> bool:
        """Count one confirmation, or refusal; tell whether more are to come."""
        self._asked[name] = awaited = self._asked.get(name, 1) - 1
        if not awaited:
            del self._asked[name]
        return bool(awaited)

    def _refused(self, error: CommandRefused) -> None:
        """Fail the subscribers of the channel that Redis refused: the oldest that is not answered yet.

        If it refuses everything just now, the next connection asks again.
        """
        if error.is_passing and self._reconnecting.connection is not None:
            self._reconnecting.connection.abort()
            return
        if not self._order:
            return
        name, is_pattern = self._order.popleft()
        self._is_awaited(name)
        table = self._patterns if is_pattern else self._channels
        self._fail(table.pop(name, []), error)

    def _failed(self, failure: TaskFailed) -> None:
        """Fail every subscriber; later ones get a new connection."""
        present = [each for table in (self._channels, self._patterns) for held in table.values() for each in held]
        self._channels.clear()
        self._patterns.clear()
        self._reconnecting = self._connection()
        self._fail(present, failure)

    def _fail(self, subscriptions: Iterable[ChannelSubscription], error: BusError) -> None:
        for subscription in subscriptions:
            self._confirmed.discard(subscription)
            subscription.subscriber.failed(error)

    def _lost(self) -> None:
        confirmed, self._confirmed = self._confirmed, set()
        for subscription in confirmed:
            subscription.subscriber.disconnected()
