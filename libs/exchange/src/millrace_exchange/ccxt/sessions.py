"""The ccxt instances over which streams come: each is replaced before its connections end.

ccxt keeps one book and one cache a symbol, so a second connection for the same stream needs a second instance. It is
opened beside the first, every stream moves to it, and then the first is closed.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, NoReturn

from millrace_core.actions import StreamAction
from millrace_core.clock import now_ms
from millrace_exchange.ccxt.caller import CcxtCaller
from millrace_exchange.ccxt.handover import Handover, handover_of
from millrace_exchange.listeners import ExchangeListener

log = logging.getLogger("millrace.ccxt")

OVERLAP_S = 10.0
"""How long two connections are heard at once for the sake of a stream that brings nothing."""
RETRY_S = 5.0
"""Pause after a stream could not be had from the next session."""
_CLOSE_TIMEOUT_S: Final = 1.0
_LOOKS: Final = 50
"""How often in a connection's life its age is looked at."""

Run = Callable[[CcxtCaller, ExchangeListener], Awaitable[None]]
"""Follows a stream with one ccxt instance until it breaks."""


class Session:
    """One ccxt instance, and how many streams come over it."""

    def __init__(self, caller: CcxtCaller, unused: "Callable[[Session], None]") -> None:
        self.caller = caller
        self.ending: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done once its streams are to move to the next session."""
        self._streams = 0
        self._unused = unused
        """Called once it is ending and carries no stream any more."""

    def follow(self, run: Run, listener: ExchangeListener) -> "asyncio.Task[None]":
        """Begin to follow a stream over it."""
        self._streams += 1
        following = asyncio.ensure_future(run(self.caller, listener))
        following.add_done_callback(self._ended)
        return following

    def end(self) -> None:
        """Have its streams move on."""
        self.ending.set_result(None)
        if not self._streams:
            self._unused(self)

    def is_older_than(self, age_ms: int) -> bool:
        """Tell whether one of its connections is."""
        opened = (client.connectionEstablished for client in (self.caller.ccxt.clients or {}).values())
        return any(now_ms() - at_ms > age_ms for at_ms in opened if at_ms)

    def _ended(self, following: "asyncio.Task[None]") -> None:
        self._streams -= 1
        if not following.cancelled():
            # Its follower raises it; an error of a session that the stream has left concerns nobody.
            following.exception()
        if self.ending.done() and not self._streams:
            self._unused(self)


class StreamSessions:
    """Keeps streams on the newest session."""

    def __init__(self, caller: CcxtCaller) -> None:
        self._first = caller
        """The instance that also answers questions. Its owner closes it; streams leave it nonetheless."""
        self._current: Session | None = None
        self._open: set[Session] = set()
        self._closing: set[asyncio.Task[None]] = set()
        caller.ccxt.on_farewell = self._farewell

    @property
    def current(self) -> Session:
        """Return the session for new streams, with the markets as they were loaded last."""
        if self._current is None:
            self._current = self._session(self._first)
        ccxt, first = self._current.caller.ccxt, self._first.ccxt
        if ccxt.markets is not first.markets:
            ccxt.set_markets_from_exchange(first)
        return self._current

    @property
    def callers(self) -> list[CcxtCaller]:
        """Return the instances over which streams come."""
        return [session.caller for session in self._open]

    async def keep_young(self, lifetime_ms: int) -> NoReturn:
        """Replace the session whenever one of its connections has lived for so long, until cancelled."""
        while True:
            await asyncio.sleep(lifetime_ms / _LOOKS / 1_000)
            if self._current is not None and self._current.is_older_than(lifetime_ms):
                self._replace(self._current, "their connections are old")

    async def follow(self, action: StreamAction, listener: ExchangeListener, run: Run) -> None:
        """Call a listener for every message of a stream until cancelled, over one session after the other.

        Raises:
            Retryable, Rejected, Fatal: why the stream broke.
        """
        await _MovingStream(self, handover_of(action, listener), run).follow()

    async def close(self) -> None:
        """Close every session but the first."""
        for session in self._open:
            if session.caller is not self._first:
                self._close(session)
        await asyncio.gather(*self._closing)

    def _session(self, caller: CcxtCaller) -> Session:
        session = Session(caller, self._close)
        self._open.add(session)
        return session

    def _farewell(self, ccxt: Any) -> None:
        if self._current is not None and ccxt is self._current.caller.ccxt:
            self._replace(self._current, "the exchange will end their connections")

    def _replace(self, former: Session, reason: str) -> None:
        caller = self._first.another()
        caller.ccxt.on_farewell = self._farewell
        log.info("streams of %s move to new connections: %s", caller.profile.exchange, reason)
        self._current = self._session(caller)
        former.end()

    def _close(self, session: Session) -> None:
        task = asyncio.ensure_future(self._closed(session))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _closed(self, session: Session) -> None:
        self._open.discard(session)
        ccxt = session.caller.ccxt
        if session.caller is self._first:
            await _close_streams(ccxt, session.caller.profile.request_socket)
        else:
            await close_instance(ccxt)


class _MovingStream:
    """One stream, on one session or on its way to the next."""

    def __init__(self, sessions: StreamSessions, handover: Handover, run: Run) -> None:
        self._sessions, self._handover, self._run = sessions, handover, run
        self._session = sessions.current
        self._following = self._session.follow(run, handover.source)
        self._successor: asyncio.Task[None] | None = None

    async def follow(self) -> None:
        try:
            while not self._following.done():
                either: set[asyncio.Future[Any]] = {self._following, self._session.ending}
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                if not self._following.done():
                    await self._move(self._sessions.current)
            self._following.result()
        finally:
            await _cancelled(self._following)
            if self._successor is not None:
                await _cancelled(self._successor)

    async def _move(self, newest: Session) -> None:
        successor = self._successor = newest.follow(self._run, self._handover.begin())
        await self._overlap(successor)
        if self._handover.successor is None:
            former, self._following, self._session = self._following, successor, newest
            self._successor = former
            await _cancelled(former)
            return
        self._handover.stay()
        await _cancelled(successor)
        if not self._following.done():
            log.warning("a stream could not be moved to a new connection; trying again in %g s", RETRY_S)
            await asyncio.wait({self._following}, timeout=RETRY_S)

    async def _overlap(self, successor: "asyncio.Task[None]") -> None:
        """Wait until the stream has moved, or one of the two connections brings nothing any more."""
        moved = asyncio.ensure_future(self._handover.moved.wait())
        either: set[asyncio.Future[Any]] = {self._following, successor, moved}
        try:
            while not any(each.done() for each in either):
                done, _ = await asyncio.wait(either, timeout=OVERLAP_S, return_when=asyncio.FIRST_COMPLETED)
                if not done and self._handover.can_move:
                    self._handover.move()
        finally:
            moved.cancel()


async def close_instance(ccxt: Any) -> None:
    """Close all of a ccxt instance's connections, within a second even where the exchange does not answer."""
    try:
        async with asyncio.timeout(_CLOSE_TIMEOUT_S):
            await ccxt.close()
    except TimeoutError:
        # Without the session the sockets are cut, and what still waits for a good-bye on them ends.
        session, ccxt.session = ccxt.session, None
        if session is not None:
            await session.close()
        await ccxt.close_connector()


async def _close_streams(ccxt: Any, request_socket: str | None) -> None:
    for url, client in list((ccxt.clients or {}).items()):
        if request_socket is None or request_socket not in url:
            # Another one that ends meanwhile may have taken it away.
            ccxt.clients.pop(url, None)
            await client.close()


async def _cancelled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait({task})
