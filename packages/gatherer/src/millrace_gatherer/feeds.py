"""Public feeds that several tenants ask for: one subscription at the exchange, whose messages each of them takes.

The subscription is made with the connection of the tenant that asked first, which stays open for the others when that
tenant leaves. When one of the streams finds the feed broken, all follow anew. Private data is never shared.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from millrace_core.actions import CANDLES, FIELDS_ACTIONS, LIQUIDATIONS, ORDER_BOOK, TRADES, StreamAction
from millrace_core.clock import now_ns
from millrace_core.config.common import Credentials
from millrace_core.market import BookSnapshot
from millrace_exchange import EventTimes, Exchange, Fatal, MarketFeed, Retryable
from millrace_gatherer.fanout import Fanout

RENEWED: Final = "the shared subscription is made anew"
_SECRETS: Final = {"api_key", "secret", "password", "uid"}

Subscribe = Callable[[MarketFeed, Fanout], Awaitable[None]]
KeepOpen = Callable[[Hashable], AbstractAsyncContextManager[Exchange]]
"""Keeps an account's exchange open for as long as the context lasts; or a further one, apart from it."""


class _Feed:
    """One subscription."""

    def __init__(self, market: "SharedMarket", apart: Hashable, subscribe: Subscribe, former: "_Feed | None") -> None:
        self.over, self.apart = market.over, apart
        self.fanout = Fanout()
        self.is_over = False
        self.task = asyncio.create_task(self._run(market.keep_open, subscribe, former))

    async def _run(self, keep_open: KeepOpen, subscribe: Subscribe, former: "_Feed | None") -> None:
        try:
            async with keep_open(self.apart) as exchange:
                if former is not None:
                    # Its end would end the new subscription too.
                    await asyncio.wait({former.task})
                await subscribe(exchange.market, self.fanout)
        finally:
            self.is_over = True

    def end(self) -> None:
        """End the subscription; those that follow it have to follow anew."""
        if self.is_over:
            # A second cancellation would interrupt the first one's unsubscribing.
            return
        self.is_over = True
        self.fanout.listeners = ()
        self.task.cancel()

    async def ended(self) -> None:
        """Wait until the subscription has ended, for whatever reason."""
        await asyncio.wait({self.task})
        if not self.task.cancelled():
            # What went wrong is everybody's to report who followed it.
            self.task.exception()

    async def broke(self, market: "SharedMarket", action: str) -> None:
        """Wait until the subscription ends, and raise why, as it concerns one of those who follow it."""
        await asyncio.wait({self.task})
        is_refused = not self.task.cancelled() and isinstance(self.task.exception(), Fatal)
        # That the account is refused with which it was made says nothing of another's.
        if self.task.cancelled() or (is_refused and market.over is not self.over):
            raise Retryable(RENEWED, exchange=market.exchange, action=action, kind="Renewed")
        self.task.result()


class SharedFeeds:
    """The public feeds of one process."""

    def __init__(self) -> None:
        self._feeds: dict[tuple[Hashable, ...], _Feed] = {}

    async def follow(
        self, key: tuple[Hashable, ...], market: "SharedMarket", listener: Any, subscribe: Subscribe, action: str
    ) -> None:
        """Take a feed's messages until cancelled.

        Raises:
            ExchangeError: the subscription broke, or is made anew for another one who takes it.
        """
        feed = self._feeds.get(key)
        if feed is None or feed.is_over:
            feed = self._feeds[key] = _Feed(market, self._apart(key, market), subscribe, feed)
        _begin(action, listener, feed.fanout.listeners)
        feed.fanout.listeners += (listener,)
        try:
            await feed.broke(market, action)
        finally:
            await self._leave(key, feed, listener)

    def renew(self, keys: Callable[[tuple[Hashable, ...]], bool]) -> None:
        """End the subscriptions of some keys."""
        for key in [key for key in self._feeds if keys(key)]:
            self._feeds[key].end()

    def _apart(self, key: tuple[Hashable, ...], market: "SharedMarket") -> Hashable:
        """Return what sets a feed apart where its exchange has one of another depth: ccxt keeps one book a symbol."""
        others = [feed for other, feed in self._feeds.items() if other[:3] == key[:3] and other != key]
        has_another = any(feed.over is market.over and feed.apart is None and not feed.is_over for feed in others)
        return key[1:] if has_another and key[1] == ORDER_BOOK.name else None

    async def _leave(self, key: tuple[Hashable, ...], feed: _Feed, listener: Any) -> None:
        feed.fanout.listeners = tuple(each for each in feed.fanout.listeners if each is not listener)
        if not feed.fanout.listeners:
            feed.end()
            await feed.ended()
            if self._feeds.get(key) is feed:
                del self._feeds[key]


class SharedMarket:
    """The port `MarketFeed` of one unit: its streams are shared, its questions are its account's own."""

    def __init__(self, feeds: SharedFeeds, exchange: Exchange, credentials: Credentials, keep_open: KeepOpen) -> None:
        self.exchange = exchange.id
        self.over, self.keep_open = exchange, keep_open
        self._feeds = feeds
        self._market: MarketFeed = exchange.market
        self._connection = f"{exchange.id} {credentials.model_dump_json(exclude=_SECRETS)}"
        self.fetch_order_book = self._market.fetch_order_book
        self.fetch_trades = self._market.fetch_trades
        self.fetch_candles = self._market.fetch_candles

    async def order_book(self, symbol: str, listener: Any, limit: int | None = None) -> None:
        """Stream a symbol's order book: first the whole book, then every change."""
        await self._follow(
            ORDER_BOOK.name, symbol, limit, listener, lambda market, fanout: market.order_book(symbol, fanout, limit)
        )

    async def trades(self, symbol: str, listener: Any) -> None:
        """Stream every public trade in a symbol."""
        await self._follow(TRADES.name, symbol, None, listener, lambda market, fanout: market.trades(symbol, fanout))

    async def fields(self, action: StreamAction, symbol: str, listener: Any) -> None:
        """Stream one object of a symbol by its fields."""
        await self._follow(
            action.name, symbol, None, listener, lambda market, fanout: market.fields(action, symbol, fanout)
        )

    async def candles(self, symbol: str, timeframe: str, listener: Any) -> None:
        """Stream a symbol's candles of one timeframe."""
        await self._follow(
            CANDLES.name, symbol, timeframe, listener, lambda market, fanout: market.candles(symbol, timeframe, fanout)
        )

    async def liquidations(self, symbol: str, listener: Any) -> None:
        """Stream a symbol's liquidations."""
        await self._follow(
            LIQUIDATIONS.name, symbol, None, listener, lambda market, fanout: market.liquidations(symbol, fanout)
        )

    def renew(self, action: str, symbol: str | None) -> None:
        """Have a feed subscribed anew, for all who take it: what it brings cannot be followed."""
        concerned = (self._connection, action, symbol)
        self._feeds.renew(lambda key: key[:3] == concerned)

    async def _follow(self, action: str, symbol: str, variant: object, listener: Any, subscribe: Subscribe) -> None:
        key = (self._connection, action, symbol, variant)
        await self._feeds.follow(key, self, listener, subscribe, action)


class SharingExchange:
    """An exchange whose public feeds are shared."""

    def __init__(self, exchange: Exchange, market: SharedMarket) -> None:
        self.id, self.profile, self.market = exchange.id, exchange.profile, market
        self.account, self.execution, self.rules = exchange.account, exchange.execution, exchange.rules
        self.prepare, self.reporting, self.close = exchange.prepare, exchange.reporting, exchange.close
        self.poll_interval_s, self.source, self.reloaded = exchange.poll_interval_s, exchange.source, exchange.reloaded
        self.clock_offset_ms = exchange.clock_offset_ms


def _begin(action: str, listener: Any, others: Sequence[Any]) -> None:
    """Tell a listener that comes later what the others know; what has no whole state is asked for by the listener."""
    whole = next((other for other in others if getattr(other, "is_whole", False)), None)
    if whole is None:
        return
    event = EventTimes(None, now_ns())
    if action == ORDER_BOOK.name:
        book: BookSnapshot = whole.take_snapshot("")
        listener.book_reset(book.bids, book.asks, book.nonce, event)
    elif action in FIELDS_ACTIONS:
        fields: dict[str, Any] = whole.take_snapshot("")
        listener.fields_changed({name: value for name, value in fields.items() if name != "asOf"}, event)
