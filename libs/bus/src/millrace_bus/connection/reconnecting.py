"""A connection that always comes back: jittered retries for ever, and a pulse that finds a dead server."""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any

from millrace_bus.connection.address import Address
from millrace_bus.connection.connection import Part, Push, Wire, connect
from millrace_bus.errors import BusError, Disconnected, Unreachable

CONNECT_TIMEOUT_S = 2.0
PULSE_S = 2.0
"""A server that says nothing for so long is asked, and given up when it says nothing for as long again."""
FIRST_RETRY_S = 0.02
LONGEST_RETRY_S = 0.5
_WORTH_A_LINE = 10

_log = logging.getLogger("millrace.bus")


class Link:
    """A connection to Redis that comes back after any outage.

    `on_up` is awaited with each new wire before `up` lets anybody else at it; `on_down` is called when it is lost.
    """

    def __init__(
        self,
        address: Address,
        name: str,
        *,
        on_push: Push | None = None,
        on_up: Callable[[Wire], Awaitable[None]] | None = None,
        on_down: Callable[[], None] | None = None,
    ) -> None:
        self.address = address
        self.wire: Wire | None = None
        """The wire that is up now; None during an outage."""
        self.trouble = "not tried yet"
        """Why there is no wire, for people."""
        self._name = name
        self._on_push, self._on_up, self._on_down = on_push, on_up, on_down
        self._is_up = asyncio.Event()
        self._was_up = False
        self._keeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to connect; does nothing when begun."""
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep(), name=f"link {self._name}")

    async def close(self) -> None:
        """End the connection for good."""
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
            self._keeper = None

    async def up(self, timeout_s: float | None = None) -> Wire:
        """Wait for a wire, and give it.

        Raises:
            Unreachable: there was none within `timeout_s`.
        """
        if self.wire is not None:
            return self.wire
        self.start()
        try:
            async with asyncio.timeout(timeout_s):
                while self.wire is None:
                    await self._is_up.wait()
        except TimeoutError as error:
            raise Unreachable(str(self.address), self.trouble) from error
        return self.wire

    async def call(self, *parts: Part) -> Any:
        """Send one command over the wire that is up, or the next one, and give its reply.

        Raises:
            Refused: Redis answered with an error.
            Disconnected: the connection ended first; nothing is tried again here.
        """
        return await (await self.up()).call(*parts)

    async def _keep(self) -> None:
        failures = 0
        down_since = time.monotonic()
        while True:
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    wire = await connect(self.address, self._name, self._on_push)
            except (OSError, BusError) as error:
                self._fail(str(error) or type(error).__name__, failures)
                await asyncio.sleep(_delay(failures))
                failures += 1
                continue
            if failures or self._was_up:
                _log.info("%s: connected after %.1f s", self._name, time.monotonic() - down_since)
            self._was_up = True
            self.trouble = await self._use(wire)
            failures, down_since = 0, time.monotonic()
            _log.warning("%s: connection to Redis at %s lost: %s", self._name, self.address, self.trouble)

    def _fail(self, trouble: str, failures: int) -> None:
        # Not one line for each try: the first when there never was a connection, then one when it takes long.
        if failures == (_WORTH_A_LINE if self._was_up else 0):
            _log.warning("%s: no connection to Redis at %s: %s", self._name, self.address, trouble)
        self.trouble = trouble

    async def _use(self, wire: Wire) -> str:
        """Serve with a wire until it is lost; give why."""
        wire.on_lost = self._went_down
        try:
            if self._on_up is not None:
                await self._on_up(wire)
            if not wire.lost.done():
                self.wire = wire
                self._is_up.set()
            return await _watch(wire)
        except (BusError, TimeoutError) as error:
            return str(error) or type(error).__name__
        finally:
            wire.abort()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(wire.lost)

    def _went_down(self) -> None:
        self.wire = None
        self._is_up.clear()
        if self._on_down is not None:
            self._on_down()


async def _watch(wire: Wire) -> str:
    """Wait until a wire is lost, asking a server that has gone silent; give why."""
    while True:
        heard = wire.heard
        done, _ = await asyncio.wait([wire.lost], timeout=PULSE_S)
        if done:
            return wire.lost.result()
        if wire.heard == heard:
            try:
                async with asyncio.timeout(PULSE_S):
                    await wire.call("PING")
            except (Disconnected, TimeoutError):
                return "the server does not answer" if not wire.lost.done() else wire.lost.result()


def _delay(failures: int) -> float:
    # Jitter, so that many clients of a server that returns do not all come in the same moment.
    longest = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2 ** min(failures, 10))
    return random.uniform(longest / 2, longest)  # noqa: S311 (no secret)
