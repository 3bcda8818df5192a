"""A line to Binance's WebSocket API: one socket is kept open for an account's requests, and replaced before it ends."""

import asyncio
import logging
from typing import Any, Final

from picows import WSError, WSInvalidStatusError

from millrace_core.backoff import Backoff, BackoffPolicy
from millrace_exchange.ccxt.caller import CcxtCaller
from millrace_exchange.ccxt.settings import TIMEOUT_MS
from millrace_exchange.errors import ExchangeError
from millrace_exchange.native.binance.request_api import BinanceRequests
from millrace_exchange.native.binance.request_socket import RequestSocket
from millrace_exchange.profile import CONNECT
from millrace_exchange.refusals import Answer

log = logging.getLogger("millrace.native")

_CONNECT_TIMEOUT_S: Final = 10.0
_PATIENCE_S: Final = TIMEOUT_MS / 1000
"""How long a socket that was replaced stays open for answers."""
AGAIN: Final = BackoffPolicy(first_s=0.2, limit_s=10.0)
"""Pauses before it connects again."""
_LOGON: Final = "sessionLogon"
_LOGON_WEIGHT: Final = 2


class RequestLine:
    """Carries an account's requests while a socket is open. What it cannot carry goes over HTTP."""

    def __init__(self, caller: CcxtCaller, again: BackoffPolicy = AGAIN) -> None:
        self._again = again
        self._gate = caller.gate
        self._profile = caller.profile
        self._requests = BinanceRequests(caller.ccxt)
        self._socket = RequestSocket()
        self._tried = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None
        self._retiring: dict[asyncio.Task[None], RequestSocket] = {}
        """Sockets that were replaced and may still bring answers."""

    async def open(self) -> None:
        """Keep it open until `close`; return after the first attempt to connect, successful or not."""
        if self._keeping is None:
            self._keeping = asyncio.create_task(self._keep(), name="connection for requests")
            self._keeping.add_done_callback(lambda _: self._tried.set())
        await self._tried.wait()

    async def close(self) -> None:
        """Close it; what is under way has no answer."""
        tasks, former = list(self._retiring), list(self._retiring.values())
        if self._keeping is not None:
            tasks.append(self._keeping)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(socket.close() for socket in (*former, self._socket)))

    def name_of(self, api: Any, method: str, path: str) -> str | None:
        """Return the API's name of a request if it can be carried now, else None."""
        return self._requests.name_of(api, method, path) if self._socket.is_open else None

    async def ask(self, name: str, params: dict[str, Any], *, changes: bool) -> dict[str, Any]:
        """Return the answer to a request, which may change something or not.

        Raises:
            ConnectionError: the socket ended before the answer came.
        """
        return await self._socket.ask(lambda number: self._requests.written(number, name, params), changes=changes)

    async def _keep(self) -> None:
        loop, backoff = asyncio.get_running_loop(), Backoff(self._again)
        while True:
            began_s = loop.time()
            try:
                await self._replace()
            except (OSError, WSError, ExchangeError) as error:
                log.debug("no connection for requests; they go over HTTP: %s", error)
            else:
                self._tried.set()
                await self._until_expiring()
                if loop.time() - began_s > self._again.healthy_after_s:
                    backoff.recovered()
            self._tried.set()
            await asyncio.sleep(backoff.failed(at_least_s=self._gate.stopped_ms(CONNECT) / 1000))

    async def _replace(self) -> None:
        """Open a socket, then let the former one end."""
        socket = RequestSocket()
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                await self._gate.enter(CONNECT)
                await self._connect(socket)
                if self._requests.has_sessions:
                    await self._gate.enter(_LOGON, _LOGON_WEIGHT)
                    self._requests.check_logon(await socket.ask(self._requests.logon, changes=False))
        except BaseException:
            await socket.close()
            raise
        former, self._socket = self._socket, socket
        task = asyncio.create_task(former.retire(_PATIENCE_S), name="replaced connection for requests")
        self._retiring[task] = former
        task.add_done_callback(self._retiring.pop)

    async def _connect(self, socket: RequestSocket) -> None:
        try:
            await socket.connect(self._requests.url)
        except WSInvalidStatusError as error:
            if error.response is not None:
                headers = dict(error.response.headers)
                self._gate.answered(CONNECT, Answer.of(int(error.response.status), headers, ""))
            raise

    async def _until_expiring(self) -> None:
        lifetime_ms = self._profile.connection_lifetime_ms
        try:
            async with asyncio.timeout(None if lifetime_ms is None else lifetime_ms / 1000):
                await self._socket.expiring.wait()
        except TimeoutError:
            return
