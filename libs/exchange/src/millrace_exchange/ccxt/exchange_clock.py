"""How far an exchange's clock is from ours, so that requests are signed with the exchange's time.

An exchange refuses a request whose timestamp is too old or in the future (Binance: -1021), which proves that it did
nothing. A machine whose clock is wrong must trade all the same, or say why it does not.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

import structlog

from millrace_core.clock import now_ms
from millrace_exchange.errors import Rejected
from millrace_exchange.request_gate import Gauge

NOTEWORTHY_MS: Final = 1_000
"""A difference of this size is told: every other program on this machine has it too."""

log = structlog.get_logger()

AskTime = Callable[[], Awaitable[int | None]]
"""Asks an exchange for its time, ms; None if it tells none."""


class ServerClock(NamedTuple):
    """What one question for an exchange's time showed."""

    round_trip_ms: int
    offset_ms: int | None
    """Its clock minus ours, at most half a round trip wrong; None if it does not tell its time."""

    @property
    def proven_ms(self) -> int:
        """Return how far the clocks differ at least: what the question's own time explains is no difference."""
        return max(abs(self.offset_ms or 0) - (self.round_trip_ms + 1) // 2, 0)


async def server_clock_by(ask: AskTime) -> ServerClock:
    """Ask an exchange for its time, and compare it with ours."""
    began_ms = now_ms()
    exchange_ms = await ask()
    ended_ms = now_ms()
    offset_ms = None if exchange_ms is None else exchange_ms - (began_ms + ended_ms) // 2
    return ServerClock(ended_ms - began_ms, offset_ms)


class ExchangeClock:
    """The difference between an exchange's clock and ours, as last measured: one for all instances of an account."""

    def __init__(self) -> None:
        self.offset_ms = 0
        """The exchange's clock minus ours, at most half a round trip wrong; 0 until it is measured."""
        self.is_doubted = False
        """Whether the exchange has refused a timestamp since it was last measured."""
        self._measuring = asyncio.Lock()
        self._gauges: set[Gauge] = set()

    def now_ms(self) -> int:
        """Return the exchange's time, as far as it is known."""
        return now_ms() + self.offset_ms

    def doubt(self) -> None:
        """Have it measured again before the next request: the exchange refused a timestamp."""
        self.is_doubted = True

    async def measure(self, exchange: str, ask: AskTime) -> None:
        """Ask the exchange for its time if there is a doubt; one that tells none keeps ours.

        Raises:
            ExchangeError: it cannot be reached.
        """
        async with self._measuring:
            if not self.is_doubted:
                return
            try:
                measured = await server_clock_by(ask)
            except Rejected as error:
                # It judges our own time then; that it tells none must not keep an account from trading.
                log.warning("the exchange does not tell its time", exchange=exchange, cause=str(error))
            else:
                if measured.offset_ms is not None:
                    self._learn(measured.offset_ms if measured.proven_ms else 0, exchange)
            self.is_doubted = False

    @contextmanager
    def reporting(self, gauge: Gauge) -> Iterator[None]:
        """Report the difference as `clockOffsetMs`, while the context lasts."""
        self._gauges.add(gauge)
        gauge("clockOffsetMs", self.offset_ms)
        try:
            yield
        finally:
            self._gauges.discard(gauge)

    def _learn(self, offset_ms: int, exchange: str) -> None:
        if abs(offset_ms) >= NOTEWORTHY_MS:
            ahead_s = -offset_ms / 1000
            log.warning(
                "this machine's clock is wrong; requests use the exchange's", exchange=exchange, ahead_s=ahead_s
            )
        self.offset_ms = offset_ms
        for gauge in self._gauges:
            gauge("clockOffsetMs", offset_ms)
