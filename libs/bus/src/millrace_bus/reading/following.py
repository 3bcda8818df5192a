"""One stream as this process follows it for all its listeners: the I/O around `gap_recovery`."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from millrace_bus.connection.reconnecting import Link
from millrace_bus.connection.subscriptions import Subscriptions
from millrace_bus.errors import Disconnected, Refused
from millrace_bus.reading.gap_recovery import Need, Recovery
from millrace_bus.reading.updates import FollowerStatus, Update, UpdateKind
from millrace_bus.writing.publish_commands import entry_body, entry_message_id
from millrace_core.clock import now_ns
from millrace_core.errors import InvalidMessage, InvalidName
from millrace_core.ids import MessageId
from millrace_core.messages import Message, Status, decode
from millrace_core.names import StreamName
from millrace_core.states import state_of
from millrace_core.trace import Trace

Listener = Callable[[Update], None]

PAGE = 500
"""Entries of the journal that are read at a time."""
DEAD_AFTER_S = 10.0
"""A writer says something every 5 s: one that was silent for twice that is dead."""
_FIRST_RETRY_S = 0.01
_LONGEST_RETRY_S = 1.0
_TICK_S = 1.0
_NO_TRACE = Trace()


class Following:
    """Follows one stream for all its listeners: hears its channel, reads what the recovery needs."""

    def __init__(self, name: StreamName, subscriptions: Subscriptions, reading: Link, *, from_start: bool) -> None:
        self.name = name
        self.recovery = Recovery(
            lambda: state_of(name.action), self._tell, has_snapshots=name.has_snapshots, from_start=from_start
        )
        self.trusted_event = asyncio.Event()
        """Set while the state is trusted."""
        self.is_dead = False
        self._listeners: list[Listener] = []
        self._reading = reading
        self._heard_at = time.monotonic()
        self._awake = asyncio.Event()
        self._subscriptions = subscriptions
        self._task = asyncio.create_task(self._follow(), name=f"follow {name}")
        self._subscription = subscriptions.add(str(name), self)

    @property
    def status(self) -> FollowerStatus:
        """Return what the writer says, or `dead`."""
        return "dead" if self.is_dead else self.recovery.said

    def add(self, listener: Listener) -> None:
        """Tell a listener too; where the state is trusted already, it is told so in the next turn."""
        self._listeners = [*self._listeners, listener]
        if self.recovery.trusted:
            asyncio.get_running_loop().call_soon(self._welcome, listener)

    def remove(self, listener: Listener) -> bool:
        """Tell a listener no more; say whether any is left."""
        # A new list: the old one may be being told something just now.
        left = list(self._listeners)
        if listener in left:
            left.remove(listener)
        self._listeners = left
        return bool(left)

    async def close(self) -> None:
        """Stop following."""
        self._subscriptions.remove(self._subscription)
        self._task.cancel()
        await asyncio.wait([self._task])

    def subscribed(self) -> None:
        """The channel is heard from now on."""
        self.recovery.subscribed()
        self._awake.set()

    def deaf(self) -> None:
        """The channel is lost."""
        self.recovery.deaf()

    def heard(self, data: bytes) -> None:
        """Take one message from the channel."""
        try:
            message = decode(data)
            identity = message.message_id
        except (InvalidMessage, InvalidName):
            self.recovery.counters.malformed += 1
            return
        self._heard_at = time.monotonic()
        self.is_dead = False
        self.recovery.heard(identity, message)
        if self.recovery.need is not None:
            self._awake.set()

    async def _follow(self) -> None:
        """Read what the recovery needs, as often as it needs something; notice silence."""
        while True:
            while (need := self.recovery.need) is not None:
                await asyncio.sleep(_delay(self.recovery.attempts))
                try:
                    await self._read(need)
                except (Disconnected, Refused):
                    # The connection is being made again, or Redis is still loading; the need stays.
                    await asyncio.sleep(_LONGEST_RETRY_S / 10)
            self._awake.clear()
            try:
                async with asyncio.timeout(_TICK_S):
                    await self._awake.wait()
            except TimeoutError:
                self._notice_silence()

    async def _read(self, need: Need) -> None:
        """Read what is needed and hand it over.

        Raises:
            Disconnected, Refused: nothing was read.
        """
        recovery, key = self.recovery, str(self.name)
        if need.what == "snapshot":
            found = await self._reading.call("XREVRANGE", self.name.snapshot, "+", "-", "COUNT", 1)
            recovery.took_snapshot(need, _snapshot(found))
        elif need.what == "newest":
            found = await self._reading.call("XREVRANGE", key, "+", "-", "COUNT", 1)
            recovery.took_newest(need, entry_message_id(found[0][0]) if found else None)
        else:
            found = await self._reading.call("XRANGE", key, str(need.at), "+", "COUNT", PAGE)
            entries = [(MessageId.parse(entry.decode()), entry_body(fields) or b"") for entry, fields in found]
            recovery.took_journal(need, entries, is_end=len(entries) < PAGE)

    def _notice_silence(self) -> None:
        if self.is_dead or self.recovery.last is None or time.monotonic() - self._heard_at < DEAD_AFTER_S:
            return
        self.is_dead = True
        silence = Status("stale", f"nothing was heard for {DEAD_AFTER_S:.0f} s")
        self._tell("status", self.recovery.last, silence, None)

    def _tell(self, kind: UpdateKind, identity: MessageId | None, data: Any, message: Message | None) -> None:
        if kind == "snapshot":
            self.trusted_event.set()
        elif kind == "untrusted":
            self.trusted_event.clear()
        update = self._update(kind, identity, data, message)
        for listener in self._listeners:
            self._call(listener, update)

    def _update(self, kind: UpdateKind, identity: MessageId | None, data: Any, message: Message | None) -> Update:
        recovery = self.recovery
        timestamp, trace = (None, _NO_TRACE) if message is None else (message.timestamp, message.trace)
        # An answer carries its request's way: `delivered` there is when the strategy read its cause.
        if message is not None and message.type != "response":
            trace = trace.at(delivered=now_ns())
        return Update(self.name, identity, kind, data, recovery.state, recovery.trusted, self.status, timestamp, trace)

    def _welcome(self, listener: Listener) -> None:
        if self.recovery.trusted and listener in self._listeners:
            self._call(listener, self._update("snapshot", self.recovery.last, None, None))

    def _call(self, listener: Listener, update: Update) -> None:
        try:
            listener(update)
        except Exception as error:  # noqa: BLE001 (foreign code: its fault must not end everybody's connection)
            self.remove(listener)
            asyncio.get_running_loop().call_exception_handler(
                {"message": f"a listener of {self.name} failed and is not called again", "exception": error}
            )


def _snapshot(found: list[Any]) -> Message | None:
    """Read the newest snapshot; one that cannot be read counts as none."""
    body = entry_body(found[0][1]) if found else None
    if body is None:
        return None
    try:
        return decode(body)
    except InvalidMessage:
        return None


def _delay(attempts: int) -> float:
    # The first start again is immediate: most often the writer has just opened a new epoch.
    return min(_LONGEST_RETRY_S, _FIRST_RETRY_S * 2**attempts) if attempts > 1 else 0
