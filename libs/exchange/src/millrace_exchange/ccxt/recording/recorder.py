"""Tells listeners what ccxt has just applied to its books and caches.

ccxt announces every message that it has applied by resolving a future with what it applied it to. That call is
where this listens: synchronous, after the change and before the next one.
"""

from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from ccxt.async_support.base.ws.cache import ArrayCache, ArrayCacheByTimestamp

from millrace_core.clock import now_ns
from millrace_exchange.ccxt.conversion import balances_of, order_of, ticker_of, trade_of
from millrace_exchange.ccxt.recording.book_proofs import Gap, SequenceCheck
from millrace_exchange.ccxt.recording.books import RecordedBook
from millrace_exchange.listeners import Event, Listener

StreamKey = tuple[str, str | None]
"""The kind of stream (`watchOrderBook`, …; of candles with the timeframe: `watchOHLCV 1m`) and the symbol."""


class Recorder:
    """Knows who listens to what of one ccxt instance."""

    def __init__(self, ccxt: Any) -> None:
        self._ccxt = ccxt
        self._listeners: dict[StreamKey, Listener] = {}
        self.checks: WeakSet[SequenceCheck] = WeakSet()
        """Those of all connections that are open."""
        self.received_ns = 0
        """When the frame at hand was read, wall clock."""
        self._void: dict[str, Any] = {}
        """Books that miss something, by symbol, each with the connection over which it came."""
        self._tellers: tuple[tuple[type[Any], Callable[[Any], bool]], ...] = (
            (RecordedBook, self._book),
            (ArrayCache, self._cache),
            (ArrayCacheByTimestamp, self._candles),
            (list, self._named_candles),
            (dict, self._dict),
        )

    def add(self, kind: str, symbol: str | None, listener: Listener) -> None:
        """Tell a listener of one stream from now on, instead of whoever was told before."""
        self._listeners[kind, symbol] = listener

    def remove(self, kind: str, symbol: str | None, listener: Listener) -> None:
        """Tell it no more."""
        if self._listeners.get((kind, symbol)) is listener:
            del self._listeners[kind, symbol]

    def broken(self, gap: Gap, client: Any) -> None:
        """Tell whoever follows a book that something of it is missing."""
        for symbol in self._concerned(gap):
            if listener := self._listeners.get(("watchOrderBook", symbol)):
                self._void[symbol] = client
                listener.book_broken(str(gap))

    def begin_book(self, symbol: str) -> None:
        """Take the next frame of a book for its first: it is about to be subscribed."""
        if (market := self._ccxt.markets.get(symbol)) is not None:
            for check in self.checks:
                check.forget(market["id"])

    def take_void(self, symbol: str) -> Any:
        """Return, once, the connection over which a book came that misses something; None where it does not."""
        return self._void.pop(symbol, None)

    def tell(self, result: Any) -> bool:
        """Tell whom it concerns what ccxt resolves a future with; False where that is no stream's state."""
        for kind, teller in self._tellers:
            if isinstance(result, kind):
                return teller(result)
        return False

    def _event(self, timestamp: int | None) -> Event:
        return Event(timestamp, self.received_ns or now_ns())

    def _book(self, book: RecordedBook) -> bool:
        symbol, nonce = book["symbol"] or self._symbol_of(book), book["nonce"]
        listener = self._listeners.get(("watchOrderBook", symbol))
        if book.replaced:
            bids, asks = book.levels()
            if listener:
                listener.book_reset(bids, asks, nonce, self._event(book["timestamp"]))
        else:
            bids, asks = book["bids"].take_changes(), book["asks"].take_changes()
            if listener and (bids or asks or nonce != book.told_nonce):
                listener.book_changed(bids, asks, nonce, self._event(book["timestamp"]))
        book.told_nonce = nonce
        return True

    def _concerned(self, gap: Gap) -> list[str]:
        if gap.market_id is None:
            return [symbol for kind, symbol in self._listeners if kind == "watchOrderBook" and symbol is not None]
        # A spot market and a future may share a name: then both are subscribed again.
        return [market["symbol"] for market in self._ccxt.markets_by_id.get(gap.market_id, ())]

    def _symbol_of(self, book: RecordedBook) -> str | None:
        return next((symbol for symbol, known in self._ccxt.orderbooks.items() if known is book), None)

    def _cache(self, cache: Any) -> bool:
        # ccxt's own count of what was appended since it was last asked; it stands until the next append.
        if cache._clear_all_updates:
            return True
        count = cache.getLimit(None, None)
        new = cache[-count:] if count else []
        if cache is self._ccxt.myTrades:
            self._trades("watchMyTrades", new)
        elif new and "filled" in new[-1]:
            self._orders(new)
        else:
            self._trades("watchTrades", new)
        return True

    def _trades(self, kind: str, new: list[dict[str, Any]]) -> None:
        for symbol, trades in _by_symbol(new):
            if listener := self._listeners.get((kind, symbol)):
                listener.traded([trade_of(trade) for trade in trades], self._event(trades[-1]["timestamp"]))

    def _orders(self, new: list[dict[str, Any]]) -> None:
        for symbol, orders in _by_symbol(new):
            if listener := self._listeners.get(("watchOrders", symbol)):
                at = orders[-1].get("lastUpdateTimestamp") or orders[-1].get("lastTradeTimestamp")
                listener.orders_changed([order_of(order) for order in orders], self._event(at))

    def _named_candles(self, result: list[Any]) -> bool:
        # Some exchanges resolve with `[symbol, timeframe, cache]`.
        return bool(result) and isinstance(result[-1], ArrayCacheByTimestamp) and self._candles(result[-1])

    def _candles(self, cache: Any) -> bool:
        if cache._clear_updates:
            return True
        candles = [tuple(cache.hashmap[opened]) for opened in sorted(cache._size_tracker)]
        cache.getLimit(None, None)
        for symbol, timeframe in self._candles_of(cache):
            if listener := self._listeners.get((f"watchOHLCV {timeframe}", symbol)):
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
        if result is self._ccxt.tickers.get(result.get("symbol")):
            if listener := self._listeners.get(("watchTicker", result["symbol"])):
                listener.ticker_changed(ticker_of(result), self._event(result.get("timestamp")))
            return True
        if any(result is known for known in (self._ccxt.balance, *self._ccxt.balance.values())):
            # Binance's `balanceUpdate` tells a difference, which ccxt takes for a balance where it knows none;
            # the balance itself follows in a message of its own.
            difference = isinstance(result.get("info"), dict) and result["info"].get("e") == "balanceUpdate"
            listener = self._listeners.get(("watchBalance", None))
            if listener and not difference:
                listener.balance_changed(balances_of(result), self._event(result.get("timestamp")))
            return True
        return False


def _by_symbol(rows: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row["symbol"], []).append(row)
    return list(groups.items())
