"""Subscribing to many symbols with few requests, where ccxt can.

ccxt's method for many symbols (`watchTradesForSymbols`) subscribes all at once, but its call ends when any of
them ends. So it only subscribes: then each symbol is followed by the method for one, which finds its subscription and
sends nothing. One symbol's end, and its unsubscription, concern that symbol alone.

Where the two methods do not meet on one connection under one name (Binance's, Gemini's), each symbol subscribes by
itself, as it does if the exchange has refused a request that it was part of. Order books always do: what each takes
is its snapshot, not its subscription.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from ccxt.base.errors import NetworkError

from millrace_core.actions import BIDS_ASKS, CANDLES, TICKER, TRADES, StreamAction
from millrace_exchange.ccxt.classification import FAILURES
from millrace_exchange.ccxt.recording.recorded_exchange import connection
from millrace_exchange.ccxt.recording.watch_calls import captured
from millrace_exchange.errors import ExchangeError
from millrace_exchange.request_gate import RequestGate

AT_ONCE: Final = 10
"""Symbols in a request: the most that Bybit's spot markets take; others take more."""
WINDOW_S: Final = 0.05
"""How long the first symbol waits for others."""
_MANY: Final = {
    TRADES: ("watchTradesForSymbols", "watch_trades_for_symbols"),
    TICKER: ("watchTickers", "watch_tickers"),
    BIDS_ASKS: ("watchBidsAsks", "watch_bids_asks"),
    CANDLES: ("watchOHLCVForSymbols", "watch_ohlcv_for_symbols"),
}
"""ccxt's capability and method that subscribe many symbols to an action."""

_Key = tuple[str, str, str]
"""Action, kind of market, and the mark of the connection: a request concerns one of each."""
_Wanted = tuple[Any, ...]
"""A symbol and, of candles, the timeframe."""


class _Batch:
    """Symbols that are about to be subscribed together."""

    def __init__(self) -> None:
        self.wanted: dict[_Wanted, Callable[..., Any]] = {}
        """Each with ccxt's method for it alone."""
        self.is_over = asyncio.Event()


class SubscriptionBatches:
    """The batches of one ccxt instance."""

    def __init__(self, ccxt: Any, gate: RequestGate) -> None:
        self._ccxt = ccxt
        self._gate = gate
        self._open: dict[_Key, _Batch] = {}
        self._apart: set[_Key] = set()
        """What cannot be subscribed together."""
        self._refused: set[tuple[str, _Wanted]] = set()
        """What was part of a request, or alone, when the exchange refused it."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def join(self, action: StreamAction, one: Callable[..., Any], *wanted: Any) -> None:
        """Return once a stream can be followed by ccxt's method for it alone: subscribed with others, or not at all."""
        key = self._key_of(action, wanted)
        if key is None:
            return
        batch = self._open.get(key)
        if batch is None:
            batch = self._open[key] = _Batch()
            task = asyncio.create_task(self._subscribe(action, key, batch), name=f"subscribe {key}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        batch.wanted[wanted] = one
        try:
            await batch.is_over.wait()
        except asyncio.CancelledError:
            batch.wanted.pop(wanted, None)
            raise

    def refused(self, action: StreamAction, *wanted: Any) -> None:
        """Subscribe this alone from now on: the exchange refused it, or a request that it was part of."""
        self._refused.add((action.name, wanted))

    def _key_of(self, action: StreamAction, wanted: _Wanted) -> _Key | None:
        if action not in _MANY or not self._ccxt.has.get(_MANY[action][0]) or (action.name, wanted) in self._refused:
            return None
        market = self._ccxt.markets[wanted[0]]
        kind = f"{market.get('type')} {market.get('linear')} {market.get('settle')}"
        key = (action.name, kind, connection.get())
        return None if key in self._apart else key

    async def _subscribe(self, action: StreamAction, key: _Key, batch: _Batch) -> None:
        await asyncio.sleep(WINDOW_S)
        del self._open[key]
        try:
            wanted = list(batch.wanted.items())
            for at in range(0, len(wanted), AT_ONCE):
                # A symbol alone has nothing to gain.
                if len(part := wanted[at : at + AT_ONCE]) > 1 and key not in self._apart:
                    await self._subscribe_together(action, key, dict(part))
        except (ExchangeError, NetworkError):
            pass  # it shows to each that is followed
        except FAILURES:
            self._apart.add(key)
        finally:
            batch.is_over.set()

    async def _subscribe_together(
        self, action: StreamAction, key: _Key, part: dict[_Wanted, Callable[..., Any]]
    ) -> None:
        symbols = [list(each) if action.per_timeframe else each[0] for each in part]
        one = await captured(next(iter(part.values())))
        many = await captured(getattr(self._ccxt, _MANY[action][1]), symbols)
        if one is None or many is None or not many.covers(one):
            self._apart.add(key)
            return
        await self._gate.enter(action.name, 0)
        # Nobody waits for any of them: each is followed by itself.
        self._ccxt.watch_multiple(*many).cancel()
