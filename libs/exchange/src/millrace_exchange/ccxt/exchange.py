"""One open exchange: a ccxt instance of ours, and the ports over it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NoReturn

from millrace_core.actions import StreamAction
from millrace_core.budget import RequestBudget
from millrace_core.config.common import Credentials
from millrace_core.names import ExchangeId
from millrace_exchange.ccxt.caller import CcxtCaller
from millrace_exchange.ccxt.exchange_clock import ExchangeClock
from millrace_exchange.ccxt.execution import CcxtExecutionClient
from millrace_exchange.ccxt.feeds import CcxtAccountFeed, CcxtMarketFeed
from millrace_exchange.ccxt.loading import load_exchange
from millrace_exchange.ccxt.market_listing import MarketListing
from millrace_exchange.ccxt.market_rules import CcxtMarketRules
from millrace_exchange.ccxt.polling import is_polled, profile_as_asked
from millrace_exchange.ccxt.recording.recorded_exchange import recorded
from millrace_exchange.ccxt.sessions import StreamSessions, close_instance
from millrace_exchange.ccxt.settings import constructor_settings, gate_of, overridden_urls
from millrace_exchange.errors import ExchangeError, Fatal
from millrace_exchange.ports import Source
from millrace_exchange.profile import ExchangeProfile
from millrace_exchange.profiles import profile_of
from millrace_exchange.request_gate import Gauge, RequestGate


class CcxtExchange:
    """The port `Exchange`; made by `open_ccxt_exchange`."""

    def __init__(self, caller: CcxtCaller) -> None:
        self.id = ExchangeId(caller.ccxt.id)
        self.profile = caller.profile
        self.listing = MarketListing(caller)
        self.sessions = StreamSessions(caller)
        self._keeping: list[asyncio.Task[NoReturn]] = []
        self.market = CcxtMarketFeed(caller, self.listing, self.sessions)
        self.account = CcxtAccountFeed(caller, self.listing, self.sessions)
        self.execution = CcxtExecutionClient(caller, self.listing)
        self.rules = CcxtMarketRules(caller.ccxt)
        self.reloaded = self.listing.reloaded
        self.caller = caller

    def clock_offset_ms(self) -> int:
        """Return the exchange's clock minus ours, as last measured; 0 where it does not tell its time."""
        return self.caller.clock.offset_ms

    async def prepare(self) -> None:
        """Load the markets and open what trading needs, so that the first order does not wait for it. Idempotent.

        Raises:
            Retryable, Rejected, Fatal: the exchange cannot be reached, or refuses the keys.
        """
        caller = self.caller
        if caller.has_keys:
            caller.clock.doubt()
        await self.listing.know(None)
        if not self._keeping:
            self._keep_current()
        if caller.has_keys and self.profile.order_transport == "websocket":
            await self._open_order_path()

    async def _open_order_path(self) -> None:
        caller = self.caller
        try:
            await caller.call("fetchBalance", caller.ccxt.fetch_balance_ws, over_socket=True)
        except Fatal:
            raise
        except ExchangeError as error:
            if error.retry_after_ms:
                raise
            # Orders go over REST then; the keys are as good or bad there.
            await caller.call("fetchBalance", caller.ccxt.fetch_balance)

    def _keep_current(self) -> None:
        self._keeping.append(asyncio.create_task(self.listing.keep_current(), name=f"markets of {self.id}"))
        if (lifetime_ms := self.profile.connection_lifetime_ms) is not None:
            keeping = self.sessions.keep_young(lifetime_ms)
            self._keeping.append(asyncio.create_task(keeping, name=f"connections to {self.id}"))

    async def close(self) -> None:
        """Close every connection, within a second even where the exchange does not answer. Idempotent."""
        for task in self._keeping:
            task.cancel()
        await asyncio.gather(self.sessions.close(), close_instance(self.caller.ccxt))

    def poll_interval_s(self, action: StreamAction) -> float | None:
        """Return how often a stream is asked for that the exchange does not send; None if it does."""
        return self.caller.poll_interval_s if is_polled(self.caller.ccxt, action) else None

    async def source(self, action: StreamAction, symbol: str | None) -> Source:
        """Return by what a stream comes."""
        return "fetch" if is_polled(self.caller.ccxt, action) else "watch"

    @contextmanager
    def reporting(self, gauge: Gauge) -> Iterator[None]:
        """Report what is left of the exchange's limits, and how far its clock is from ours, while the context lasts."""
        with self.caller.gate.reporting(gauge), self.caller.clock.reporting(gauge):
            yield


async def open_ccxt_exchange(
    exchange_id: str, credentials: Credentials, budget: RequestBudget | None = None
) -> CcxtExchange:
    """Return an exchange with its settings applied; nothing is sent to it yet.

    Without a `budget` it counts its requests for itself alone.

    The first of an exchange's id takes about half a second to import, in a thread.

    Raises:
        UnknownExchange: ccxt has none of that id.
    """
    loaded: Any = await asyncio.to_thread(load_exchange, exchange_id)
    profile = profile_of(ExchangeId(exchange_id))
    gate = gate_of(profile, credentials, budget)
    return CcxtExchange(_caller(recorded(loaded), profile, credentials, gate, ExchangeClock()))


def _caller(
    recording: Any, profile: ExchangeProfile, credentials: Credentials, gate: RequestGate, clock: ExchangeClock
) -> CcxtCaller:
    """Return a new ccxt instance with an account's settings."""
    ccxt = recording(constructor_settings(credentials, profile), profile, gate, clock)
    if credentials.test:
        ccxt.set_sandbox_mode(True)
    ccxt.urls = overridden_urls(ccxt.urls, credentials.urls)
    profile = profile_as_asked(ccxt, profile.accepting_for(int(ccxt.options.get("recvWindow", 0))))
    return CcxtCaller(
        ccxt,
        profile,
        gate,
        has_keys=bool(credentials.api_key),
        poll_interval_s=credentials.delay_on_fetch,
        clock=clock,
        another=partial(_caller, recording, profile, credentials, gate, clock),
    )
