"""Follows streams: one `FollowedStream` for all subscribers of this process, a `Follower` for each of them.

This is the I/O around `gap_recovery`. See docs/protocol.md, "Readers".
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from millrace_bus.connection.reconnecting import ReconnectingConnection, RefusalLimit
from millrace_bus.connection.subscriptions import Subscriptions
from millrace_bus.errors import BusError, CommandRefused, Disconnected, TaskFailed
from millrace_bus.reading.gap_recovery import GapRecovery, Need
from millrace_bus.reading.journal_page import entry_body, entry_message_id, first_message, id_of
from millrace_bus.reading.updates import FollowerCounters, FollowerStatus, Update, UpdateKind
from millrace_bus.tasks import BackgroundTask
from millrace_core.backoff import Backoff, BackoffPolicy
from millrace_core.clock import now_ns
from millrace_core.errors import InvalidMessage, InvalidName
from millrace_core.ids import MessageId
from millrace_core.messages import Message, Status, decode
from millrace_core.names import StreamName
from millrace_core.states import StreamState, state_of
from millrace_core.trace import NO_TRACE

UpdateListener = Callable[[Update], None]
OnFailed = Callable[[Exception], None]
"""Called once with the listener's error, or the error that ended the following."""

PAGE = 500
"""Entries of the journal that are read at a time."""
DEAD_AFTER_S = 10.0
"""A writer publishes at least every 5 s; after twice that without a message it is considered dead."""
RESTARTS = BackoffPolicy(first_s=0.04, limit_s=1.0)
"""Pauses between failed starts, from the second on."""
_READ_RETRIES = BackoffPolicy(first_s=0.1, limit_s=0.1)
_TICK_S = 1.0


class Follower:
    """Handle of one listener's subscription to a stream; made by `Bus.follow`."""

    def __init__(
        self,
        stream: "FollowedStream",
        listener: UpdateListener,
        on_failed: OnFailed | None,
        release: Callable[["FollowedStream"], Awaitable[None]],
    ) -> None:
        self.failure: Exception | None = None
        """The listener's error, or the error that ended the following; the listener is no longer called."""
        self._stream, self._listener, self._release = stream, listener, release
        self._on_failed = on_failed or self._report
        self._is_closed = False
        self._settled = asyncio.Event()
        """Set while `trusted`, and for good once it failed."""
        stream.add(self)

    @property
    def name(self) -> StreamName:
        """The stream's name."""
        return self._stream.name

    @property
    def trusted(self) -> bool:
        """Return whether the state is proven correct as of `last`; False from an outage until recovered."""
        return self.failure is None and self._stream.gap_recovery.trusted

    @property
    def state(self) -> StreamState:
        """Return the state that the messages add up to; while untrusted, the last good one."""
        return self._stream.gap_recovery.state

    @property
    def status(self) -> FollowerStatus:
        """Return the writer's status of its stream, or `dead` after 10 s of silence."""
        return self._stream.status

    @property
    def last(self) -> MessageId | None:
        """Return the id of the last applied message; None before the first."""
        return self._stream.gap_recovery.last

    @property
    def counters(self) -> FollowerCounters:
        """The running totals, shared by all followers of the stream."""
        return self._stream.gap_recovery.counters

    async def ready(self) -> None:
        """Wait until the state is trusted.

        A stream of answers is ready as soon as nothing later can be missed, even when it does not exist yet;
        any other once its first snapshot is there.

        Raises:
            Exception: the listener's error, or the error that ended the following (`TaskFailed`).
        """
        while not self.trusted:
            if self.failure is not None:
                raise self.failure
            await self._settled.wait()

    async def close(self) -> None:
        """Stop following; the listener is not called again. Closing twice is harmless."""
        if not self._is_closed:
            self._is_closed = True
            if not self._stream.remove(self):
                await self._release(self._stream)

    def call(self, update: Update) -> None:
        """Call the listener with an update; if it raises, report the error to its owner and call it no more."""
        if update.trusted:
            self._settled.set()
        else:
            self._settled.clear()
        try:
            self._listener(update)
        except Exception as error:  # noqa: BLE001 (foreign code: its fault must not end everybody's connection)
            self._stream.remove(self)
            self.fail(error)

    def fail(self, error: Exception) -> None:
        """Report the error that ended it to the owner."""
        self.failure = error
        self._settled.set()
        self._on_failed(error)

    def _report(self, error: Exception) -> None:
        asyncio.get_running_loop().call_exception_handler(
            {"message": f"a subscriber of {self.name} failed and is not called again", "exception": error}
        )


class FollowedStream:
    """Follows one stream for all subscribers: receives its channel, and reads what gap recovery needs."""

    def __init__(
        self,
        name: StreamName,
        subscriptions: Subscriptions,
        reading: ReconnectingConnection,
        *,
        from_start: bool,
        exact: bool,
    ) -> None:
        self.name = name
        self.is_exact = exact
        self.gap_recovery = GapRecovery(
            lambda: state_of(name.action, exact=exact),
            self._tell,
            has_snapshots=name.has_snapshots,
            from_start=from_start,
        )
        self.is_dead = False
        self._is_over = False
        self._followers: list[Follower] = []
        self._reading = reading
        self._received_at = time.monotonic()
        self._awake = asyncio.Event()
        self._subscriptions = subscriptions
        self._task = BackgroundTask(self._follow(), f"follow {name}", self._failed)
        self._subscription = subscriptions.add(str(name), self)

    @property
    def status(self) -> FollowerStatus:
        """Return the writer's status, or `dead`."""
        return "dead" if self.is_dead else self.gap_recovery.said

    @property
    def is_over(self) -> bool:
        """Return whether following has ended, so that no follower may join."""
        return self._is_over or self._task.is_done

    def add(self, follower: Follower) -> None:
        """Add a follower; if the state is trusted already, it is called in the next turn."""
        self._followers = [*self._followers, follower]
        if self.gap_recovery.trusted:
            asyncio.get_running_loop().call_soon(self._welcome, follower)

    def remove(self, follower: Follower) -> bool:
        """Remove a follower; tell whether any is left."""
        # A new list: an update may be going out to the old one just now.
        self._followers = [other for other in self._followers if other is not follower]
        return bool(self._followers)

    async def close(self) -> None:
        """Stop following."""
        self._subscriptions.remove(self._subscription)
        await self._task.close()

    def subscribed(self) -> None:
        """Note that from now on no message on the channel is missed."""
        self.gap_recovery.subscribed()
        self._awake.set()

    def disconnected(self) -> None:
        """Note that the channel is lost."""
        self.gap_recovery.disconnected()

    def failed(self, error: BusError) -> None:
        """End the following: no message will come any more."""
        self._failed(error if isinstance(error, TaskFailed) else TaskFailed(f"follow {self.name}", error))

    def on_message(self, data: bytes) -> None:
        """Take one message from the channel."""
        try:
            message = decode(data)
            identity = message.message_id
        except (InvalidMessage, InvalidName):
            identity = None
        if identity is None or not identity.is_possible:
            self.gap_recovery.counters.malformed += 1
            return
        self._received_at = time.monotonic()
        self.is_dead = False
        try:
            self.gap_recovery.on_message(identity, message)
        except Exception as error:  # noqa: BLE001 (one stream's fault must not end the connection of all)
            self._failed(TaskFailed(f"follow {self.name}", error))
        if self.gap_recovery.need is not None:
            self._awake.set()

    async def _follow(self) -> None:
        """Read what gap recovery needs, whenever it needs something; notice silence.

        Raises:
            CommandRefused: Redis refuses permanently to read it.
        """
        pauses, limit = Backoff(_READ_RETRIES), RefusalLimit()
        while True:
            while (need := self.gap_recovery.need) is not None:
                # The first start again is immediate: most often the writer has just opened a new epoch.
                await asyncio.sleep(RESTARTS.pause_s(self.gap_recovery.attempts - 1))
                try:
                    await self._read(need)
                except (Disconnected, CommandRefused) as error:
                    # The connection is being made again, or Redis is still loading; the need stays.
                    limit.check(error if isinstance(error, CommandRefused) else None)
                    await asyncio.sleep(pauses.failed())
            self._awake.clear()
            try:
                async with asyncio.timeout(_TICK_S):
                    await self._awake.wait()
            except TimeoutError:
                self._mark_dead_if_quiet()

    async def _read(self, need: Need) -> None:
        """Read what is needed and hand it over.

        Raises:
            Disconnected, CommandRefused: nothing was read.
        """
        gap_recovery, key = self.gap_recovery, str(self.name)
        if need.what == "snapshot":
            found = await self._reading.call("XREVRANGE", self.name.snapshot, "+", "-", "COUNT", 1)
            gap_recovery.took_snapshot(need, first_message(found))
        elif need.what == "newest":
            found = await self._reading.call("XREVRANGE", key, "+", "-", "COUNT", 1)
            gap_recovery.took_newest(need, entry_message_id(found[0][0]) if found else None)
        else:
            found = await self._reading.call("XRANGE", key, str(need.at), "+", "COUNT", PAGE)
            entries = [(id_of(entry), entry_body(fields) or b"") for entry, fields in found]
            gap_recovery.took_journal(need, entries, is_end=len(entries) < PAGE)

    def _mark_dead_if_quiet(self) -> None:
        last = self.gap_recovery.last
        if self.is_dead or last is None or time.monotonic() - self._received_at < DEAD_AFTER_S:
            return
        self.is_dead = True
        self._tell("status", last, Status("stale", f"no message came for {DEAD_AFTER_S:.0f} s"), None)

    def _tell(self, kind: UpdateKind, identity: MessageId | None, data: Any, message: Message | None) -> None:
        update = self._update(kind, identity, data, message)
        for follower in self._followers:
            follower.call(update)

    def _update(self, kind: UpdateKind, identity: MessageId | None, data: Any, message: Message | None) -> Update:
        held = self.gap_recovery
        timestamp, trace = (None, NO_TRACE) if message is None else (message.timestamp, message.trace)
        # An answer carries its request's way: `delivered` there is when the strategy read its cause.
        if message is not None and message.type != "response":
            trace = trace.delivered_at(now_ns())
        state, trusted, market = held.state, held.trusted, held.market
        return Update(self.name, identity, kind, data, state, trusted, self.status, timestamp, trace, market)

    def _welcome(self, follower: Follower) -> None:
        if self.gap_recovery.trusted and follower in self._followers:
            follower.call(self._update("snapshot", self.gap_recovery.last, None, None))

    def _failed(self, failure: TaskFailed) -> None:
        self._is_over = True
        self._subscriptions.remove(self._subscription)
        followers, self._followers = self._followers, []
        for follower in followers:
            follower.fail(failure)
