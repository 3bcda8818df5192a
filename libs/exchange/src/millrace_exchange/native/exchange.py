"""An exchange whose market data come natively, and the rest through ccxt."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from millrace_exchange.ccxt.caller import CcxtCaller
from millrace_exchange.ccxt.exchange import CcxtExchange
from millrace_exchange.ccxt.market_listing import MarketListing
from millrace_exchange.native.binance.feed import BinanceMarketFeed
from millrace_exchange.ports import MarketFeed
from millrace_exchange.profile import NativeFeed


class _ClosableFeed(MarketFeed, Protocol):
    async def close(self) -> None:
        """Close every connection."""


_FEEDS: Final[Mapping[NativeFeed, Callable[[CcxtCaller, MarketListing, MarketFeed], _ClosableFeed]]] = {
    "binance_spot": BinanceMarketFeed,
}


class NativeExchange:
    """The port `Exchange`."""

    def __init__(self, ccxt: CcxtExchange, feed: NativeFeed) -> None:
        self.id = ccxt.id
        self.profile = ccxt.profile
        self.market = _FEEDS[feed](ccxt.caller, ccxt.listing, ccxt.market)
        self.account = ccxt.account
        self.execution = ccxt.execution
        self.rules = ccxt.rules
        self.prepare, self.reloaded = ccxt.prepare, ccxt.reloaded
        self.poll_interval_s = ccxt.poll_interval_s
        self.reporting = ccxt.reporting
        self._ccxt = ccxt

    async def close(self) -> None:
        """Close every connection, within a second even where the exchange does not answer. Idempotent."""
        await asyncio.gather(self.market.close(), self._ccxt.close())
