"""An exchange whose spot markets and account come natively, and the rest through ccxt."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from millrace_core.actions import StreamAction
from millrace_exchange.ccxt.caller import CcxtCaller
from millrace_exchange.ccxt.exchange import CcxtExchange
from millrace_exchange.ccxt.execution import CcxtExecutionClient
from millrace_exchange.ccxt.market_listing import MarketListing
from millrace_exchange.native.account_feed import AccountDialect, NativeAccountFeed
from millrace_exchange.native.binance.account import BinanceAccount
from millrace_exchange.native.binance.execution import BinanceExecutionClient
from millrace_exchange.native.binance.market import BinanceMarket
from millrace_exchange.native.binance.request_line import RequestLine
from millrace_exchange.native.kucoin.account import KucoinAccount
from millrace_exchange.native.kucoin.market import KucoinMarket
from millrace_exchange.native.market_feed import MarketDialect, NativeMarketFeed
from millrace_exchange.ports import Source
from millrace_exchange.profile import NativeFeed


class Dialects(NamedTuple):
    """What differs between exchanges."""

    market: Callable[[CcxtCaller], MarketDialect]
    account: Callable[[CcxtCaller], AccountDialect]
    requests: Callable[[CcxtCaller], RequestLine] | None = None
    """The line that carries requests; None where they go through ccxt alone."""
    execution: Callable[[CcxtCaller, MarketListing], CcxtExecutionClient] = CcxtExecutionClient


DIALECTS: Final[Mapping[NativeFeed, Dialects]] = {
    "binance_spot": Dialects(BinanceMarket, BinanceAccount, RequestLine, BinanceExecutionClient),
    "kucoin_spot": Dialects(KucoinMarket, KucoinAccount),
}


class NativeExchange(CcxtExchange):
    """The port `Exchange`."""

    market: NativeMarketFeed
    account: NativeAccountFeed

    def __init__(self, caller: CcxtCaller, dialects: Dialects) -> None:
        super().__init__(caller)
        self.market = NativeMarketFeed(caller, self.listing, self.sessions, dialects.market(caller))
        self.account = NativeAccountFeed(caller, self.listing, self.sessions, dialects.account(caller))
        self.execution = dialects.execution(caller, self.listing)
        self._requests = None if dialects.requests is None else dialects.requests(caller)
        caller.ccxt.carrier = self._requests

    async def source(self, action: StreamAction, symbol: str | None) -> Source:
        """Return by what a stream comes: natively where one of our feeds has it."""
        feed = self.account if action.is_private else self.market
        return "native" if await feed.is_native(action, symbol) else await super().source(action, symbol)

    async def close(self) -> None:
        """Close every connection, within a second even where the exchange does not answer. Idempotent."""
        closing = [self.market.close(), self.account.close(), super().close()]
        if self._requests is not None:
            closing.append(self._requests.close())
        await asyncio.gather(*closing)

    async def _open_order_path(self) -> None:
        if self._requests is None:
            await super()._open_order_path()
            return
        await self._requests.open()
        # Over HTTP where there is no connection: the keys are as good or bad there.
        await self.caller.call("fetchBalance", self.caller.ccxt.fetch_balance)
