"""A connection that reconnects with jittered backoff; a ping detects a dead server."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from millrace_bus.connection.address import Address
from millrace_bus.connection.connection import CommandPart, Connection, OnRefused, Push, connect
from millrace_bus.connection.slots import Grouping, one_group
from millrace_bus.errors import BusError, CommandRefused, Disconnected, TaskFailed, Unreachable
from millrace_bus.tasks import BackgroundTask
from millrace_core.backoff import Backoff, BackoffPolicy

CONNECT_TIMEOUT_S = 2.0
ON_UP_TIMEOUT_S = 10.0
"""How long `on_up` may take; after that, a new connection is made."""
PING_AFTER_S = 2.0
"""After this much silence the server is pinged; after as much again it is considered dead."""
RETRIES = BackoffPolicy(first_s=0.02, limit_s=0.5, healthy_after_s=5.0)
REFUSED_RETRIES = BackoffPolicy(first_s=1.0, limit_s=1.0)
"""Pauses after Redis refused a command, for those that use the connection."""
_WORTH_A_LINE = 10

_log = logging.getLogger("millrace.bus")


class ReconnectingConnection:
    """A connection to Redis that comes back after any outage.

    `on_up` is awaited with each new connection before `up` returns it; `on_down` is called when it is lost, and
    `on_failed` when an unforeseen error keeps it from ever being made again.
    """

    def __init__(
        self,
        address: Address,
        name: str,
        *,
        on_push: Push | None = None,
        on_refused: OnRefused | None = None,
        on_up: Callable[[Connection], Awaitable[None]] | None = None,
        on_down: Callable[[], None] | None = None,
        on_failed: Callable[[TaskFailed], None] | None = None,
        grouping: Grouping = one_group,
    ) -> None:
        self.address = address
        self.connection: Connection | None = None
        """The connection that is up now; None during an outage."""
        self.trouble = "not connected yet"
        """Why there is no connection, for people."""
        self.grouping = grouping
        """Splits keys into groups that one command may name."""
        self._name = name
        self._on_push, self._on_refused = on_push, on_refused
        self._on_up, self._on_down, self._on_failed = on_up, on_down, on_failed
        self._is_up = asyncio.Event()
        """Set while there is a connection, and once it is closed for good."""
        self._was_up = False
        self._keeper: BackgroundTask | None = None

    def start(self) -> None:
        """Begin to connect; does nothing when begun."""
        if self._keeper is None:
            self._keeper = BackgroundTask(self._keep(), f"connection {self._name}", self._failed)

    async def close(self) -> None:
        """End the connection for good."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            await keeper.close()

    async def up(self, timeout_s: float | None = None) -> Connection:
        """Wait for a connection, and return it.

        Raises:
            Unreachable: there was none within `timeout_s`.
            TaskFailed: an unforeseen error has ended reconnecting.
        """
        if self.connection is not None:
            return self.connection
        self.start()
        try:
            async with asyncio.timeout(timeout_s):
                while self.connection is None:
                    await self._is_up.wait()
                    if self._keeper is not None:
                        self._keeper.check()
        except TimeoutError as error:
            raise Unreachable(str(self.address), self.trouble) from error
        return self.connection

    async def call(self, *parts: CommandPart) -> Any:
        """Send one command over the connection that is up, or the next one, and return its reply.

        Raises:
            CommandRefused: Redis answered with an error.
            Disconnected: the connection ended first; nothing is tried again here.
        """
        return await (await self.up()).call(*parts)

    async def _keep(self) -> None:
        backoff = Backoff(RETRIES)
        while True:
            connection = await self._connect(backoff)
            up_since = time.monotonic()
            self.trouble = await self._use(connection)
            _log.warning("%s: connection to Redis at %s lost: %s", self._name, self.address, self.trouble)
            if time.monotonic() - up_since >= RETRIES.healthy_after_s:
                backoff.recovered()
            else:
                # A server that takes connections and drops them at once is not to be asked without a pause.
                await asyncio.sleep(backoff.failed())

    async def _connect(self, backoff: Backoff) -> Connection:
        failures, down_since = 0, time.monotonic()
        while True:
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    connection = await connect(self.address, self._name, self._on_push, self._on_refused)
            except (OSError, BusError) as error:
                self._note(str(error) or type(error).__name__, failures)
                failures += 1
                await asyncio.sleep(backoff.failed())
                continue
            if failures or self._was_up:
                _log.info("%s: connected after %.1f s", self._name, time.monotonic() - down_since)
            self._was_up = True
            return connection

    def _note(self, trouble: str, failures: int) -> None:
        # Not one line for each try: the first when there never was a connection, then one when it takes long.
        if failures == (_WORTH_A_LINE if self._was_up else 0):
            _log.warning("%s: no connection to Redis at %s: %s", self._name, self.address, trouble)
        self.trouble = trouble

    async def _use(self, connection: Connection) -> str:
        """Serve a connection until it is lost; return the reason."""
        connection.on_lost = self._went_down
        try:
            if self._on_up is not None:
                async with asyncio.timeout(ON_UP_TIMEOUT_S):
                    await self._on_up(connection)
            if not connection.lost.done():
                self.connection = connection
                self._is_up.set()
            return await _watch(connection)
        except (BusError, TimeoutError) as error:
            return str(error) or type(error).__name__
        finally:
            connection.abort()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(connection.lost)

    def _went_down(self) -> None:
        self.connection = None
        self._is_up.clear()
        if self._on_down is not None:
            self._on_down()

    def _failed(self, failure: TaskFailed) -> None:
        _log.error("%s", failure)
        self._is_up.set()
        if self._on_failed is not None:
            self._on_failed(failure)


async def _watch(connection: Connection) -> str:
    """Wait until a connection is lost, pinging a silent server; return the reason."""
    while True:
        received = connection.received
        done, _ = await asyncio.wait([connection.lost], timeout=PING_AFTER_S)
        if done:
            return connection.lost.result()
        if connection.received == received:
            try:
                async with asyncio.timeout(PING_AFTER_S):
                    await connection.call("PING")
            except CommandRefused:
                continue  # MISCONF and BUSY refuse a PING too; what refuses is there, and may read and publish
            except (Disconnected, TimeoutError):
                return "the server does not answer" if not connection.lost.done() else connection.lost.result()


LIMIT_S: Final = 3.0
"""How long a permanent refusal may last before it is an error."""
_APART_S: Final = 5.0
"""Refusals farther apart than this are not the same one."""


class RefusalLimit:
    """Measures for how long Redis has refused permanently."""

    def __init__(self) -> None:
        self._since = self._last = float("-inf")

    def check(self, refused: CommandRefused | None) -> None:
        """Return if the command may be tried again.

        Raises:
            CommandRefused: it is permanent and has lasted for `LIMIT_S`.
        """
        if refused is None or not refused.is_permanent:
            return
        now = time.monotonic()
        if now - self._last > _APART_S:
            self._since = now
        self._last = now
        if now - self._since >= LIMIT_S:
            raise refused
