"""The connections to one exchange: as few as carry the streams, each replaced before it ends."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, NoReturn

from millrace_core.actions import StreamAction
from millrace_exchange.errors import ExchangeError, Fatal, Rejected, Retryable
from millrace_exchange.native.connection import Connection
from millrace_exchange.native.dialect import Dialect, Topic
from millrace_exchange.native.failures import ConnectionRefused, SubscriptionRefused
from millrace_exchange.native.subscription import OnMissed, Subscription, Take
from millrace_exchange.profile import CONNECT, ExchangeProfile
from millrace_exchange.request_gate import RequestGate

log = logging.getLogger("millrace.native")

_OVERLAP_S: Final = 10.0
"""How long two connections are heard at once for the sake of a stream that brings nothing."""
_MUTE_OVERLAP_S: Final = 2.0
"""The same where the one that is left may be mute."""
_LOOK_S: Final = 0.04
"""How often one that may be mute is looked at: if the other brings what it has not at two looks, it is mute."""
_RETRY_S: Final = 5.0
"""Pause after an attempt to replace a connection failed."""


class ConnectionPool:
    """Shares connections among streams."""

    def __init__(
        self,
        dialect: Dialect,
        profile: ExchangeProfile,
        gate: RequestGate,
        *,
        on_refused: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_refused` is called when the exchange refuses to begin a stream."""
        self._dialect = dialect
        self._on_refused = on_refused
        self._profile, self._gate = profile, gate
        self._connections: list[Connection] = []
        self._connects_at = 0.0
        """The earliest moment of the next attempt to connect."""
        self._replacing = asyncio.Lock()
        self._replacements: set[asyncio.Task[None]] = set()

    @contextlib.contextmanager
    def subscribed(
        self,
        topic: Topic,
        action: StreamAction,
        take: Take,
        *,
        in_batches: bool = False,
        on_missed: OnMissed | None = None,
    ) -> Iterator[Subscription]:
        """Have a stream's events taken until the end of the block, one by one or as they come together.

        `on_missed` takes the place of breaking the stream where an event cannot be read.
        """
        connection = self._connection_for(topic.stream)
        failure = partial(self._failure, action)
        subscription = Subscription(topic, take, failure, connection, in_batches=in_batches, on_missed=on_missed)
        connection.add(subscription)
        try:
            yield subscription
        finally:
            subscription.leave()

    async def follow(self, topic: Topic, action: StreamAction, take: Take, *, in_batches: bool = False) -> NoReturn:
        """Have a stream's events taken until it breaks, one by one or as they come together.

        Raises:
            Retryable, Rejected: why it broke.
        """
        with self.subscribed(topic, action, take, in_batches=in_batches) as subscription:
            raise await subscription.broken

    def replace_mute(self, since_ns: int) -> None:
        """Replace the connections that have brought nothing since a time, wall clock, and are mute then."""
        for connection in list(self._connections):
            connection.doubt(since_ns)

    async def close(self) -> None:
        """End all connections."""
        for task in self._replacements:
            task.cancel()
        await asyncio.gather(*self._replacements, return_exceptions=True)
        await asyncio.gather(*(connection.close() for connection in list(self._connections)))

    def _connection_for(self, stream: str) -> Connection:
        carrying = (connection for connection in self._connections if connection.carries(stream))
        roomy = (connection for connection in self._connections if connection.has_room)
        return next(carrying, None) or next(roomy, None) or self._connect()

    def _connect(self) -> Connection:
        now = asyncio.get_running_loop().time()
        starts_at = max(now, self._connects_at)
        self._connects_at = starts_at + self._dialect.rules.connect_interval_s
        connection = Connection(
            self._dialect,
            self._gate,
            delay_s=starts_at - now,
            on_ended=self._ended,
            on_expiring=self._expiring,
        )
        self._connections.append(connection)
        return connection

    def _ended(self, connection: Connection, error: Exception) -> None:
        self._connections.remove(connection)
        for subscription in connection.subscriptions:
            subscription.lost(connection, error)

    def _expiring(self, connection: Connection) -> None:
        task = asyncio.create_task(self._replace(connection), name="replace a connection")
        self._replacements.add(task)
        task.add_done_callback(self._replacements.discard)

    async def _replace(self, old: Connection) -> None:
        # One at a time, so that no stream moves twice at once.
        async with self._replacing:
            while old.subscriptions and not old.has_ended:
                if await self._moved(old, self._connect()):
                    break
                log.warning("a connection that ends soon could not be replaced; trying again in %g s", _RETRY_S)
                await asyncio.sleep(_RETRY_S)
            await old.close()

    async def _moved(self, old: Connection, new: Connection) -> bool:
        """Move all streams to a new connection; return False if it ended before."""
        for subscription in old.subscriptions:
            subscription.move_to(new)
            new.add(subscription)
        is_mute = await _is_mute(old, new)
        for subscription in old.subscriptions:
            if is_mute:
                # Nobody knows since when, so something may be missing of each.
                subscription.fail(ConnectionError("the exchange sends nothing over the connection any more"))
            else:
                subscription.move()
        return not new.has_ended

    def _failure(self, action: StreamAction, error: Exception) -> ExchangeError:
        if isinstance(error, ExchangeError):
            return error
        text, exchange = str(error) or type(error).__name__, self._profile.exchange
        stopped_ms = self._gate.stopped_ms(CONNECT if isinstance(error, ConnectionRefused) else action.name)
        if isinstance(error, SubscriptionRefused) and not stopped_ms:
            return self._refused(text, action, error)
        is_limited = isinstance(error, ConnectionRefused | SubscriptionRefused)
        return Retryable(
            text,
            exchange=exchange,
            action=action.name,
            kind="DDoSProtection" if is_limited else "NetworkError",
            retry_after_ms=stopped_ms if is_limited else 0,
            is_disconnected=not is_limited,
        )

    def _refused(self, text: str, action: StreamAction, refused: SubscriptionRefused) -> ExchangeError:
        self._on_refused()
        outcomes = {rule.code: rule.outcome for rule in self._profile.error_rules if not rule.actions}
        # A subscription changes nothing: what is not known of it is tried again.
        kinds: dict[str | None, type[ExchangeError]] = {"retryable": Retryable, "unknown": Retryable, "fatal": Fatal}
        kind = Retryable if refused.is_failure else kinds.get(outcomes.get(refused.code or ""), Rejected)
        return kind(text, exchange=self._profile.exchange, action=action.name, kind="BadRequest")


async def _is_mute(old: Connection, new: Connection) -> bool:
    """Hear two connections until all streams may move; return True as soon as the old one is found to be mute."""
    either = {asyncio.create_task(_outrun(old)), asyncio.create_task(_overlap(old, new))}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in either:
            task.cancel()
        await asyncio.wait(either)
    return old.is_suspect and _is_behind(old)


async def _outrun(old: Connection) -> None:
    """Return once another connection has brought what a suspected one has not."""
    looks = 0
    while looks < 2:
        await asyncio.sleep(_LOOK_S)
        looks = looks + 1 if old.is_suspect and _is_behind(old) else 0


async def _overlap(old: Connection, new: Connection) -> None:
    """Return once all streams may move, or the connections were heard together for long enough."""
    await new.settled.wait()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_MUTE_OVERLAP_S if old.is_suspect else _OVERLAP_S):
            for subscription in old.subscriptions:
                await subscription.caught_up.wait()


def _is_behind(connection: Connection) -> bool:
    return any(subscription.is_ahead for subscription in connection.subscriptions)
