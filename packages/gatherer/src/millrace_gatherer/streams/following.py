"""Keeping one stream connected to its exchange: reconnects, a watchdog on silence, and asking on a timer."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from itertools import chain, repeat
from typing import Any, Final, NoReturn

import structlog

from millrace_bus.tasks import CancelledInside
from millrace_core.backoff import Backoff, BackoffPolicy
from millrace_exchange import ExchangeError, Fatal, Rejected, Retryable
from millrace_gatherer.streams.stream import Stream
from millrace_service import UnitHealthReporter
from millrace_service.tasks import run_all

log = structlog.get_logger()

RECONNECT: Final = BackoffPolicy(first_s=0.2, limit_s=5.0, healthy_after_s=1.0)
"""Pauses between attempts that fail; a stream that was live for `healthy_after_s` is followed again at once."""
REFUSED_PAUSE_S: Final = 60.0
"""Pause after a refusal: an immediate retry would be refused too, but the key may be repaired at the exchange."""
RECONCILE_S: Final = 30.0
"""How often answers of the exchange are compared with what it streamed."""
RECONCILE_RETRY_S: Final = 2.0
"""How soon to ask again after asking failed."""
SUBSCRIBING_S: Final = (1.0, 4.0)
"""Pauses before the second and the third question: nothing tells when a subscription stands, and what happened before
that no stream brings."""


class Watchdog:
    """Calls back once when no message arrived for a while; cheap enough to be reset by every message."""

    def __init__(self, limit_s: float, expired: Callable[[], None]) -> None:
        self._limit_s = limit_s
        self._expired = expired
        self._loop = asyncio.get_running_loop()
        self._reset_at = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to watch; this moment counts as a message."""
        self.reset()
        self.stop()
        self._timer = self._loop.call_later(self._limit_s, self._check)

    def reset(self) -> None:
        """Note a message. Only a number is stored: the timer finds it when it runs out."""
        self._reset_at = self._loop.time()

    def stop(self) -> None:
        """Stop watching."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        left_s = self._reset_at + self._limit_s - self._loop.time()
        if left_s > 0:
            self._timer = self._loop.call_later(left_s, self._check)
        else:
            self._timer = None
            self._expired()


async def run_stream(stream: Stream) -> None:
    """Follow until cancelled; close the stream's writer in the end."""
    try:
        await run_all(
            stream.open(), stream.work(), stream.watch_writer(), stream.writer.failed(), _keep_following(stream)
        )
    finally:
        await stream.writer.close("stopped by the gatherer")


def question_pauses_s(every_s: float | None) -> Iterator[float | None]:
    """Return the pauses between the questions about a stream: two short ones, then always `every_s`; None for ever."""
    return chain((pause_s for pause_s in SUBSCRIBING_S if every_s is None or pause_s < every_s), repeat(every_s))


async def reconcile(
    ask: Callable[[], Awaitable[None]], health: UnitHealthReporter, every_s: float, wake: asyncio.Event
) -> NoReturn:
    """Ask now, soon again, every `every_s`, and when woken; a failure that may pass is counted, and asked again sooner.

    Nothing is asked before the pause is over that an exchange wants after a limit.

    Raises:
        Fatal: the account cannot be asked any more.
    """
    pauses_s = question_pauses_s(every_s)
    while True:
        wake.clear()
        pause_s: float | None = RECONCILE_RETRY_S
        try:
            await ask()
            pause_s = next(pauses_s)
        except Fatal:
            raise
        except ExchangeError as error:
            health.error(error)
            await asyncio.sleep(error.retry_after_s)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await wake.wait()


async def _keep_following(stream: Stream) -> NoReturn:
    backoff = Backoff(RECONNECT)
    loop = asyncio.get_running_loop()
    while True:
        started = loop.time()
        stream.was_live = False
        error = await _follow_once(stream)
        stream.stale(str(error))
        stream.health.count("reconnects")
        stream.health.error(error)
        if stream.was_live and loop.time() - started > backoff.policy.healthy_after_s:
            backoff.recovered()
        pause_s = _pause_s(error, backoff, was_live=stream.was_live)
        log.warning("stream failed; following it again", cause=str(error), kind=error.kind, pause_s=round(pause_s, 1))
        await asyncio.sleep(pause_s)


def _pause_s(error: ExchangeError, backoff: Backoff, *, was_live: bool) -> float:
    if isinstance(error, Fatal | Rejected):
        return REFUSED_PAUSE_S
    is_first, pause_s = backoff.failures == 0, backoff.failed()
    if was_live and is_first and not (isinstance(error, Retryable) and error.is_disconnected):
        # A gap says nothing against the connection: the stream is taken again at once.
        pause_s = 0.0
    return max(error.retry_after_s, pause_s)


async def _follow_once(stream: Stream) -> ExchangeError:
    """Follow until the stream breaks; return why."""
    broken: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    stream.broken = broken
    watchdog = _watchdog(stream)
    following = asyncio.create_task(stream.follow(), name=f"follow {stream.unit.key}")
    try:
        either: set[asyncio.Future[Any]] = {following, broken}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        if watchdog is not None:
            watchdog.stop()
        following.cancel()
        await asyncio.wait({following})
    if broken.done():
        name = stream.unit.name
        return Retryable(broken.result(), exchange=name.exchange, action=name.action, kind="Broken")
    return _failure(following)


def _watchdog(stream: Stream) -> Watchdog | None:
    if (limit_ms := stream.silence_limit_ms) is None:
        return None
    watchdog = Watchdog(limit_ms / 1000, lambda: stream.fail(f"silent for {limit_ms / 1000:g} s"))
    stream.on_message = watchdog.reset
    watchdog.start()
    return watchdog


def _failure(following: "asyncio.Task[None]") -> ExchangeError:
    if following.cancelled():
        raise CancelledInside("follow")
    error = following.exception()
    if isinstance(error, ExchangeError):
        return error
    raise error or AssertionError("a stream is followed until it fails")
