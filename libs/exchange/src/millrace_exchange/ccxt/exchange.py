"""One open exchange: a ccxt instance of ours, its account and its feed."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NoReturn

from aiohttp import ClientError
from ccxt.base.errors import BaseError

from millrace_core.config.common import Credentials
from millrace_core.names import ExchangeId
from millrace_exchange.ccxt.cancellation import was_cancelled
from millrace_exchange.ccxt.classification import meaning_of
from millrace_exchange.ccxt.execution import Account
from millrace_exchange.ccxt.loading import load_exchange
from millrace_exchange.ccxt.market_feed import Feed
from millrace_exchange.ccxt.recording import recorded
from millrace_exchange.ccxt.recording.recorded_exchange import Sending, sending
from millrace_exchange.ccxt.settings import TIMEOUT_MS, constructor_settings, overridden_urls
from millrace_exchange.errors import ExchangeError, Fatal

# What ccxt lets through beside its own errors: the network's, and what its parsers stumble over when an answer is
# not of the form that they expect. All of these may stand for an order that was placed.
FAILURES: Final = (
    BaseError,
    ClientError,
    OSError,
    TimeoutError,
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)
_OVER_WEBSOCKET: Final = frozenset({"binance"})
"""Where an order over WebSocket is faster than one over REST, and its answer as good."""
_CLOSE_TIMEOUT_S: Final = 1.0
_ANSWER_TIMEOUT_S: Final = TIMEOUT_MS / 1000 + 1
"""ccxt itself waits for ever for an answer over WebSocket. A REST call reports its own timeout before this."""


class Exchange:
    """An exchange as one account (or the public) sees it. Made by `open_exchange`; `close` it."""

    def __init__(self, ccxt: Any, *, has_keys: bool) -> None:
        self.id: ExchangeId = ExchangeId(ccxt.id)
        self.ccxt = ccxt
        """The ccxt instance, for this library alone."""
        self.has_keys = has_keys
        self.account = Account(self)
        self.feed = Feed(self)

    @property
    def symbols(self) -> frozenset[str]:
        """The unified symbols of its markets; empty before `prepare`."""
        return frozenset(self.ccxt.markets or ())

    @property
    def trades_over_websocket(self) -> bool:
        """Tell whether orders go over WebSocket."""
        return self.id in _OVER_WEBSOCKET

    async def prepare(self) -> None:
        """Load the markets and open what trading needs, so that the first order does not wait for it. Idempotent.

        Raises:
            Retryable, Rejected, Fatal: the exchange cannot be reached, or refuses the keys.
        """
        await self.call("loadMarkets", self.ccxt.load_markets)
        if self.has_keys and self.trades_over_websocket:
            try:
                await self.call("fetchBalance", self.ccxt.fetch_balance_ws)
            except Fatal:
                raise
            except ExchangeError:
                # Orders go over REST then; the keys are as good or bad there.
                await self.call("fetchBalance", self.ccxt.fetch_balance)

    async def call(
        self, action: str, method: Callable[..., Awaitable[Any]], *arguments: Any, timed: Sending | None = None
    ) -> Any:
        """Await one of ccxt's methods; `timed` learns when the request left.

        Raises:
            Retryable, Rejected, OutcomeUnknown, Fatal: see `millrace_exchange.errors`.
        """
        timed = timed or Sending()
        token = sending.set(timed)
        try:
            with self._meant(action, timed):
                async with asyncio.timeout(_ANSWER_TIMEOUT_S):
                    return await method(*arguments)
        finally:
            sending.reset(token)

    async def follow(self, action: str, watch: Callable[[], Awaitable[Any]]) -> NoReturn:
        """Await a stream of ccxt's, again should it ever return.

        Raises:
            Retryable, Rejected, Fatal: why it broke.
        """
        with self._meant(action, Sending()):
            while True:
                await watch()

    @contextmanager
    def _meant(self, action: str, timed: Sending) -> Iterator[None]:
        try:
            yield
        except asyncio.CancelledError as error:
            # ccxt cancels its own futures when it closes a connection: that is a failure, no wish of our caller.
            if was_cancelled():
                raise
            raise self._meaning(action, error, timed) from None
        except FAILURES as error:
            raise self._meaning(action, error, timed) from error

    def _meaning(self, action: str, error: BaseException, timed: Sending) -> ExchangeError:
        sent = timed.at_ns is not None
        return meaning_of(self.id, action, error, sent=sent, retry_after_ms=self._retry_after_ms())

    def _retry_after_ms(self) -> int | None:
        headers = self.ccxt.last_response_headers or {}
        value = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
        return int(value) * 1000 if value.isdecimal() else None

    async def close(self) -> None:
        """Close every connection, within a second even where the exchange does not answer; idempotent."""
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await self.ccxt.close()
        except TimeoutError:
            # Without the session the sockets are cut, and what still waits for a good-bye on them ends.
            session, self.ccxt.session = self.ccxt.session, None
            if session is not None:
                await session.close()
            await self.ccxt.close_connector()


async def open_exchange(exchange_id: str, credentials: Credentials) -> Exchange:
    """Return an exchange with its settings applied; nothing is sent to it yet.

    The first of an exchange's id takes about half a second to import, in a thread.

    Raises:
        UnknownExchange: ccxt has none of that id.
    """
    loaded: Any = await asyncio.to_thread(load_exchange, exchange_id)
    ccxt = recorded(loaded)(constructor_settings(credentials))
    if credentials.test:
        ccxt.set_sandbox_mode(True)
    ccxt.urls = overridden_urls(ccxt.urls, credentials.urls)
    return Exchange(ccxt, has_keys=bool(credentials.api_key))
