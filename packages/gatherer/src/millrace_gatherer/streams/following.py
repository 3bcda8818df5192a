"""Keeping one stream connected to its exchange: reconnects, a watchdog on silence, and asking on a timer."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from itertools import chain, repeat
from typing import Any, Final, NoReturn

import structlog

from millrace_bus.tasks import CancelledInside
from millrace_core.backoff import Backoff, BackoffPolicy
from millrace_core.clock import now_ms
from millrace_core.heartbeat import HEARTBEAT_INTERVAL_S
from millrace_exchange import ExchangeError, Fatal, Rejected, Retryable
from millrace_gatherer.streams.questions import QuestionTimer
from millrace_gatherer.streams.silence import UsualSilence
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


STOPPED: Final = "stopped by the gatherer"
FAILED: Final = "failed in the gatherer, which starts it again (see its heartbeat)"
MEASURE_S: Final = HEARTBEAT_INTERVAL_S
"""How often the rate and the lag of a stream are measured."""
WATCH_S: Final = 1.0
"""How often to look at a stream at least."""
GRACE_S: Final = 0.2
"""Time to read the messages that arrived while the process stood still."""


class Watchdog:
    """Calls back once when a stream is silent for longer than it may be."""

    def __init__(self, silence: UsualSilence, expired: Callable[[float], None]) -> None:
        self._silence = silence
        self._expired = expired
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to watch a new subscription."""
        self._silence.subscribe(self._loop.time())
        self._wait()

    def stop(self) -> None:
        """Stop watching."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self) -> None:
        """Look again when the silence is too long if no message comes, and soon: the limit may change with each."""
        now_s, limit_s = self._loop.time(), self._silence.limit_s
        left_s = WATCH_S if limit_s is None else self._silence.last_s + limit_s - now_s
        # At least a little: after the process stood still, messages are waiting to be read.
        due_s = now_s + max(GRACE_S, min(left_s, WATCH_S))
        self._timer = self._loop.call_at(due_s, self._check, due_s)

    def _check(self, due_s: float) -> None:
        now_s, limit_s = self._loop.time(), self._silence.limit_s
        silent_s = now_s - self._silence.last_s
        if limit_s is None or silent_s < limit_s or now_s - due_s > GRACE_S:
            self._wait()
        else:
            self._timer = None
            self._expired(silent_s)


async def run_stream(stream: Stream) -> None:
    """Follow until cancelled; close the stream's writer in the end, and tell readers why."""
    reason = FAILED
    try:
        await run_all(
            stream.open(),
            stream.work(),
            stream.watch_writer(),
            stream.writer.failed(),
            _keep_measuring(stream),
            _keep_following(stream),
        )
    except asyncio.CancelledError:
        reason = STOPPED
        raise
    finally:
        await stream.writer.close(reason)


def question_pauses_s(every_s: float | None) -> Iterator[float | None]:
    """Return the pauses between the questions about a stream: two short ones, then always `every_s`; None for ever."""
    return chain((pause_s for pause_s in SUBSCRIBING_S if every_s is None or pause_s < every_s), repeat(every_s))


async def reconcile(
    ask: Callable[[], Awaitable[None]], health: UnitHealthReporter, every_s: float, questions: QuestionTimer
) -> NoReturn:
    """Ask now, soon again, every `every_s`, and when due; a failure that may pass is counted, and asked again sooner.

    Nothing is asked before the pause is over that an exchange wants after a limit.

    Raises:
        Fatal: the account cannot be asked any more.
    """
    pauses_s = question_pauses_s(every_s)
    while True:
        questions.asking()
        pause_s: float | None = RECONCILE_RETRY_S
        try:
            await ask()
            pause_s = next(pauses_s)
        except Fatal:
            raise
        except ExchangeError as error:
            health.error(error)
            await asyncio.sleep(error.retry_after_s)
        await questions.wait(pause_s)


async def _keep_measuring(stream: Stream) -> NoReturn:
    while True:
        await asyncio.sleep(MEASURE_S)
        stream.pace.measure()


async def _keep_following(stream: Stream) -> NoReturn:
    backoff = Backoff(RECONNECT)
    loop = asyncio.get_running_loop()
    while True:
        started = loop.time()
        stream.was_live = False
        error = await _follow_once(stream)
        stream.stale(str(error))
        stream.health.count("reconnects")
        stream.health.gauge("lastGapAt", now_ms())
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
    if stream.silence is None:
        return None
    watchdog = Watchdog(stream.silence, stream.fail_silent)
    watchdog.start()
    return watchdog


def _failure(following: "asyncio.Task[None]") -> ExchangeError:
    if following.cancelled():
        raise CancelledInside("follow")
    error = following.exception()
    if isinstance(error, ExchangeError):
        return error
    raise error or AssertionError("a stream is followed until it fails")
