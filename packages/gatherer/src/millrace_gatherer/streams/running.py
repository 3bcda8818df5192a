"""Keeps one stream following its exchange for ever: reconnects, silence, and what to say of it meanwhile."""

import asyncio
from typing import Any, Final, NoReturn

import structlog

from millrace_core.backoff import Backoff, BackoffPolicy
from millrace_exchange import Exchange, ExchangeError, Fatal, Rejected, Retryable
from millrace_gatherer.silence import Silence
from millrace_gatherer.streams.stream import Stream
from millrace_service.tasks import run_all

log = structlog.get_logger()

RECONNECT: Final = BackoffPolicy(first_s=0.2, limit_s=30.0, healthy_after_s=10.0)
REFUSED_PAUSE_S: Final = 60.0
"""After the exchange said no: it will hardly say yes at once, but a key may be mended on its side."""


async def run_stream(stream: Stream, exchange: Exchange) -> None:
    """Follow until cancelled; closes the stream's writer in the end."""
    try:
        await run_all(stream.open(), stream.work(), _keep(stream, exchange))
    finally:
        await stream.writer.close("the gatherer stopped it")


async def _keep(stream: Stream, exchange: Exchange) -> NoReturn:
    backoff = Backoff(RECONNECT)
    loop = asyncio.get_running_loop()
    while True:
        started = loop.time()
        error = await _follow_once(stream, exchange)
        stream.stale(str(error))
        stream.health.count("reconnects")
        stream.health.error(error)
        if loop.time() - started > RECONNECT.healthy_after_s:
            backoff.recovered()
        pause_s = _pause_s(error, backoff)
        log.warning("stream broke; it is followed again", cause=str(error), kind=error.kind, pause_s=round(pause_s, 1))
        await asyncio.sleep(pause_s)


def _pause_s(error: ExchangeError, backoff: Backoff) -> float:
    if isinstance(error, Fatal | Rejected):
        return REFUSED_PAUSE_S
    told_s = error.retry_after_ms / 1000 if isinstance(error, Retryable) and "Limit" in error.kind else 0.0
    return max(backoff.failed(), told_s)


async def _follow_once(stream: Stream, exchange: Exchange) -> ExchangeError:
    """Follow until it breaks; give why."""
    broken: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    stream.broken = broken
    limit_s = stream.silence_limit_s
    silence = None if limit_s is None else Silence(limit_s, lambda: stream.fail(f"silent for {limit_s:g} s"))
    if silence is not None:
        stream.heard = silence.heard
        silence.start()
    following = asyncio.create_task(stream.follow(exchange.feed), name=f"follow {stream.unit.key}")
    try:
        either: set[asyncio.Future[Any]] = {following, broken}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        if silence is not None:
            silence.stop()
        following.cancel()
        await asyncio.wait({following})
    return _why(following, broken, exchange)


def _why(following: "asyncio.Task[None]", broken: "asyncio.Future[str]", exchange: Exchange) -> ExchangeError:
    if broken.done():
        where = {"exchange": exchange.id, "action": "watch"}
        return Retryable(broken.result(), **where, kind="Broken", retry_after_ms=0)
    error = following.exception()
    if isinstance(error, ExchangeError):
        return error
    raise error or AssertionError("following ends by an error only")
