"""Delivers to listeners what ccxt has just applied to its books and caches.

ccxt announces every message that it has applied by resolving a future with what it applied it to. That call is
where this listens: synchronous, after the change and before the next one.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from ccxt.async_support.base.ws.cache import ArrayCache, ArrayCacheByTimestamp

from millrace_core.actions import ACTIONS, BALANCE, CANDLES, MY_TRADES, ORDERS, TICKER, TRADES
from millrace_core.clock import now_ns
from millrace_core.market import Trade
from millrace_exchange.ccxt.conversion import balances_of, ticker_of, trade_of
from millrace_exchange.ccxt.record_fees import with_all_fees
from millrace_exchange.ccxt.recording.account_events import AccountEvents
from millrace_exchange.ccxt.recording.book_recorder import BookRecorder
from millrace_exchange.ccxt.recording.books import RecordedBook
from millrace_exchange.ccxt.recording.contract_recorder import ContractRecorder
from millrace_exchange.ccxt.recording.late_events import NewestBalances, own_time
from millrace_exchange.listeners import EventTimes, ExchangeListener
from millrace_exchange.newest import Newest
from millrace_exchange.profile import ExchangeProfile

_PRIVATE: Final = frozenset(name for name, action in ACTIONS.items() if action.is_private)
UNREAD: Final = "the exchange sent something of the balances, and ccxt reads nothing of it"
StreamKey = tuple[str, str | None, str | None]
"""Action (`watchOrderBook`, …), symbol, and of candles the timeframe."""


class Recorder:
    """Keeps the listeners of one ccxt instance."""

    def __init__(self, ccxt: Any, profile: ExchangeProfile) -> None:
        self._ccxt = ccxt
        self._balance_difference_events = profile.balance_difference_events
        self._net_field = profile.net_totals.get(BALANCE.name)
        self._order_fees, self._trade_fees, self._fee_worth = profile.order_fees, profile.trade_fees, profile.fee_worth
        self._listeners: dict[StreamKey, ExchangeListener] = {}
        self.books = BookRecorder(ccxt, profile.book)
        self._contracts = ContractRecorder()
        self.account = AccountEvents(ccxt, profile.misread)
        self.received_ns = 0
        """When the frame at hand was read, wall clock."""
        self._newest_ticker: dict[str, dict[str, Any]] = {}
        """The ticker that was last delivered, by symbol."""
        self._tickers = Newest()
        self._balances = NewestBalances(ccxt)
        self._deliveries: tuple[tuple[type[Any], Callable[[Any], bool]], ...] = (
            (ArrayCache, self._cache),
            (ArrayCacheByTimestamp, self._candles),
            (list, self._named_candles),
            (dict, self._dict),
        )
        """By the object that ccxt keeps for a stream: a book, a cache, or the state itself."""

    def add(self, key: StreamKey, listener: ExchangeListener) -> None:
        """Deliver one stream to a listener from now on, instead of to the one before."""
        self._listeners[key] = listener
        if key[0] == TICKER.name:
            self._tickers.forget(key[1])
        elif key[0] == BALANCE.name:
            self._balances = NewestBalances(self._ccxt)
        self._contracts.add(key[0], key[1], listener)

    def remove(self, key: StreamKey, listener: ExchangeListener) -> None:
        """Deliver nothing more to a listener."""
        if self._listeners.get(key) is listener:
            del self._listeners[key]
            self._contracts.remove(key[0], key[1], listener)

    def missed(self, reason: str) -> None:
        """Tell the listeners of the account's streams that one of them sent what cannot be read."""
        for (action, _, _), listener in list(self._listeners.items()):
            if action in _PRIVATE:
                listener.message_missed(reason)

    def deliver(self, result: Any, client: Any) -> bool:
        """Deliver what ccxt resolves a future with to its listener; return False if it is no stream's state."""
        if isinstance(result, RecordedBook):
            return self.books.apply(result, self.received_ns, client)
        if self._contracts.deliver(result, self.received_ns or now_ns()):
            return True
        for kind, delivery in self._deliveries:
            if isinstance(result, kind):
                return delivery(result)
        return False

    def _event(self, timestamp: int | None) -> EventTimes:
        return EventTimes(timestamp, self.received_ns or now_ns())

    def _cache(self, cache: Any) -> bool:
        # ccxt's own count of what was appended since it was last asked; it stands until the next append.
        if cache._clear_all_updates:
            return True
        count = cache.getLimit(None, None)
        new = cache[-count:] if count else []
        if cache is self._ccxt.myTrades:
            self._trades(MY_TRADES.name, new, self.account.trade)
        elif new and "filled" in new[-1]:
            self._orders(new)
        else:
            self._trades(TRADES.name, new, trade_of)
        return True

    def _trades(self, action: str, new: list[dict[str, Any]], read: Callable[[Mapping[str, Any]], Trade]) -> None:
        for symbol, trades in _by_symbol(new):
            if listener := self._listeners.get((action, symbol, None)):
                places = self._trade_fees if action == MY_TRADES.name else ()
                complete = [read(with_all_fees(trade, places)) for trade in trades]
                listener.traded(complete, self._event(trades[-1]["timestamp"]))

    def _orders(self, new: list[dict[str, Any]]) -> None:
        for symbol, orders in _by_symbol(new):
            if listener := self._listeners.get((ORDERS.name, symbol, None)):
                at = orders[-1].get("lastUpdateTimestamp") or orders[-1].get("lastTradeTimestamp")
                complete = [with_all_fees(order, self._order_fees, self._fee_worth) for order in orders]
                listener.orders_changed([self.account.order(each) for each in complete], self._event(at))

    def _named_candles(self, result: list[Any]) -> bool:
        # Some exchanges resolve with `[symbol, timeframe, cache]`.
        return bool(result) and isinstance(result[-1], ArrayCacheByTimestamp) and self._candles(result[-1])

    def _candles(self, cache: Any) -> bool:
        if cache._clear_updates:
            return True
        candles = [tuple(cache.hashmap[opened]) for opened in sorted(cache._size_tracker)]
        cache.getLimit(None, None)
        for symbol, timeframe in self._candles_of(cache):
            if listener := self._listeners.get((CANDLES.name, symbol, timeframe)):
                listener.candles_changed(candles, self._event(None))
        return True

    def _candles_of(self, cache: Any) -> list[tuple[str, str]]:
        return [
            (symbol, timeframe)
            for symbol, by_timeframe in self._ccxt.ohlcvs.items()
            for timeframe, known in by_timeframe.items()
            if known is cache
        ]

    def _dict(self, result: dict[str, Any]) -> bool:
        if self._is_ticker(result):
            self._ticker(result)
            return True
        # Some exchanges resolve with a map of tickers by symbol, some with each ticker and then with the map.
        tickers = [value for value in result.values() if self._is_ticker(value)]
        for ticker in tickers:
            if ticker is not self._newest_ticker.get(ticker["symbol"]):
                self._ticker(ticker)
        return bool(tickers) or self._balance(result)

    def _ticker(self, ticker: dict[str, Any]) -> None:
        self._newest_ticker[ticker["symbol"]] = ticker
        listener = self._listeners.get((TICKER.name, ticker["symbol"], None))
        if listener and not self._tickers.is_late(ticker["symbol"], own_time(ticker)):
            listener.fields_changed(ticker_of(ticker), self._event(ticker.get("timestamp")))

    def _is_ticker(self, value: Any) -> bool:
        return isinstance(value, dict) and value is self._ccxt.tickers.get(value.get("symbol"), ...)

    def _balance(self, result: dict[str, Any]) -> bool:
        if not any(result is known for known in (self._ccxt.balance, *self._ccxt.balance.values())):
            return False
        # A difference, which ccxt takes for a balance where it knows none, is followed by the balance itself.
        info = result.get("info")
        difference = isinstance(info, dict) and info.get("e") in self._balance_difference_events
        listener = self._listeners.get((BALANCE.name, None, None))
        if listener and info in ([], {}):
            listener.message_missed(UNREAD)
        elif listener and not difference and not self._balances.is_late(result):
            listener.balance_changed(balances_of(result, self._net_field), self._event(result.get("timestamp")))
        return True


def _by_symbol(rows: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row["symbol"], []).append(row)
    return list(groups.items())
