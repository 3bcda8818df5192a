"""What an exchange sends of an account, natively: the port `AccountFeed`."""

from typing import Any, Protocol

from millrace_core.actions import BALANCE, MY_TRADES, ORDERS, StreamAction
from millrace_core.market import Balances, Trade
from millrace_core.orders import Order
from millrace_exchange.ccxt.caller import CcxtCaller
from millrace_exchange.ccxt.feeds import CcxtAccountFeed
from millrace_exchange.ccxt.market_listing import MarketListing
from millrace_exchange.ccxt.sessions import StreamSessions
from millrace_exchange.listeners import (
    AccountListener,
    BalanceListener,
    EventTimes,
    OnSubscribed,
    OrdersListener,
    OwnTradesListener,
    ignore,
)
from millrace_exchange.native.dialect import Dialect, Topic
from millrace_exchange.native.markets import holds_spot_balances, spot_market_id
from millrace_exchange.native.pool import ConnectionPool
from millrace_exchange.native.subscription import Take
from millrace_exchange.newest import Newest


class AccountDialect(Dialect, Protocol):
    """How an exchange names the streams of an account, and what their events say."""

    async def is_native(self) -> bool:
        """Tell whether the account is of the kind whose streams are known.

        Raises:
            ExchangeError: the exchange does not say.
        """

    def topic(self, action: StreamAction, market_id: str | None = None) -> Topic:
        """Return the stream of an action, of orders and trades those in one market."""

    def time(self, event: Any) -> int | None:
        """Return the exchange's time of an event, ms."""

    def trade(self, event: Any) -> Trade | None:
        """Return the own trade of an event; None if it is another one."""

    def balances(self, event: Any) -> Balances:
        """Return the balances that an event names; none if it concerns another account."""

    def orders(self) -> "OrderReader":
        """Return a reader of the orders in one market."""


class OrderReader(Protocol):
    """Puts the orders of one market together."""

    def order(self, event: Any) -> Order:
        """Return the order of an event as it is now."""


class NativeAccountFeed(CcxtAccountFeed):
    """Orders, trades and balances of the spot account over connections of our own; ccxt is asked for all else."""

    def __init__(
        self, caller: CcxtCaller, listing: MarketListing, sessions: StreamSessions, dialect: AccountDialect
    ) -> None:
        super().__init__(caller, listing, sessions)
        self._dialect = dialect
        # A request to begin a stream is signed: it may have been refused for its time.
        self._pool = ConnectionPool(dialect, caller.profile, caller.gate, on_refused=caller.clock.doubt)

    async def orders(self, symbol: str, listener: OrdersListener, on_subscribed: OnSubscribed = ignore) -> None:
        """Stream every change of the account's orders in a symbol."""
        if (market_id := await self._market_id(symbol)) is None:
            await super().orders(symbol, listener, on_subscribed)
            return
        reader = self._dialect.orders()

        def take(event: Any, received_ns: int) -> None:
            listener.orders_changed([reader.order(event)], EventTimes(self._dialect.time(event), received_ns))

        await self._follow(ORDERS, market_id, take, listener, on_subscribed)

    async def my_trades(self, symbol: str, listener: OwnTradesListener, on_subscribed: OnSubscribed = ignore) -> None:
        """Stream every trade of the account in a symbol."""
        if (market_id := await self._market_id(symbol)) is None:
            await super().my_trades(symbol, listener, on_subscribed)
            return

        def take(event: Any, received_ns: int) -> None:
            if (trade := self._dialect.trade(event)) is not None:
                listener.traded([trade], EventTimes(trade.timestamp, received_ns))

        await self._follow(MY_TRADES, market_id, take, listener, on_subscribed)

    async def balance(self, listener: BalanceListener, on_subscribed: OnSubscribed = ignore) -> None:
        """Stream the balances that change."""
        await self._listing.know(None)
        if not await self._has_native_balance():
            await super().balance(listener, on_subscribed)
            return

        newest = Newest()

        def take(event: Any, received_ns: int) -> None:
            reported = self._dialect.balances(event).items()
            # Of one currency an event may come after a newer one.
            if balances := {code: held for code, held in reported if not newest.is_late(code, event.position)}:
                listener.balance_changed(balances, EventTimes(self._dialect.time(event), received_ns))

        await self._follow(BALANCE, None, take, listener, on_subscribed)

    def replace_mute(self, since_ns: int) -> None:
        """Replace the connections that have brought nothing since a time; all streams of a mute one begin anew."""
        self._pool.replace_mute(since_ns)
        super().replace_mute(since_ns)

    async def is_native(self, action: StreamAction, symbol: str | None) -> bool:
        """Tell whether a stream comes over a connection of our own."""
        if action is BALANCE:
            return await self._has_native_balance()
        has_stream = action in (ORDERS, MY_TRADES)
        return has_stream and symbol is not None and await self._market_id(symbol) is not None

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()

    async def _follow(
        self,
        action: StreamAction,
        market_id: str | None,
        take: Take,
        listener: AccountListener,
        on_subscribed: OnSubscribed,
    ) -> None:
        await self._caller.gate.enter(action.name, 0)
        await self._caller.know_clock()
        topic = self._dialect.topic(action, market_id)
        with self._pool.subscribed(topic, action, take, on_missed=listener.message_missed) as subscription:
            await subscription.unless_broken(subscription.active.wait())
            on_subscribed()
            raise await subscription.broken

    async def _market_id(self, symbol: str) -> str | None:
        market_id = await spot_market_id(self._caller, self._listing, symbol)
        return market_id if market_id is not None and await self._is_native() else None

    async def _has_native_balance(self) -> bool:
        return holds_spot_balances(self._caller.ccxt.options) and await self._is_native()

    async def _is_native(self) -> bool:
        # Without keys there is no account: ccxt says so.
        return self._caller.has_keys and await self._dialect.is_native()
