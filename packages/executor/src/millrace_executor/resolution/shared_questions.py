"""Questions that many unknown requests ask at once: the exchange is asked once for all of them.

After an outage there may be hundreds of unknown requests. If each asked for itself, the exchange's limits would be
used up, and none would be settled.
"""

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Final

from millrace_core.market import Trade
from millrace_core.orders import Order
from millrace_core.requests import CreatePayload
from millrace_exchange import OrderQueries

KEPT_ORDERS: Final = 10_000
"""Orders that made trades, as far as they are remembered."""


class SharedQuestions:
    """Asks about one account's orders; an answer is shared by those who asked before its question was sent."""

    def __init__(self, orders: OrderQueries) -> None:
        self._orders = orders
        self._asked: dict[Hashable, asyncio.Task[Any]] = {}
        """Questions that are not sent yet."""
        self._turns: defaultdict[Hashable, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._since_ms: dict[tuple[str, str], int] = {}
        self._known: OrderedDict[tuple[str, str], Order] = OrderedDict()

    async def open_orders(self, symbol: str | None) -> list[Order]:
        """Return the open orders of a symbol, or all.

        Raises:
            ExchangeError: the exchange cannot be asked.
        """
        found: list[Order] = await self._share(("open", symbol), lambda: self._orders.fetch_open_orders(symbol))
        return found

    async def closed_orders(self, symbol: str, since_ms: int) -> list[Order]:
        """Return a symbol's orders that ended, of those made or changed since a time.

        Raises:
            ExchangeError: the exchange cannot be asked.
        """
        ask = self._orders.fetch_closed_orders
        found: list[Order] = await self._share_since("closed", symbol, since_ms, lambda since: ask(symbol, since))
        return found

    async def orders_of_own_trades(self, payload: CreatePayload, client_order_id: str, since_ms: int) -> list[Order]:
        """Return the orders that made the account's trades on an order's side, up to the one under our id.

        KuCoin finds an order by our id only while it is open: a filled one shows by its trades alone.

        Raises:
            ExchangeError: the exchange cannot be asked.
        """
        symbol, found = payload.symbol, list[Order]()
        ask = self._orders.fetch_my_trades
        trades: list[Trade] = await self._share_since("trades", symbol, since_ms, lambda since: ask(symbol, since))
        for order_id in dict.fromkeys(trade.order for trade in trades if trade.order and trade.side == payload.side):
            order = await self._order(symbol, order_id)
            if order is not None and order.client_order_id == client_order_id:
                order = await self._orders.fetch_order(symbol, order_id=order_id)
                return found if order is None else [*found, order]
            found += [] if order is None else [order]
        return found

    async def _order(self, symbol: str, order_id: str) -> Order | None:
        """Return an order as it was when it was first asked for: whose it is never changes."""
        key = symbol, order_id
        if key not in self._known:
            order = await self._share(("order", *key), lambda: self._orders.fetch_order(symbol, order_id=order_id))
            if order is None:
                return None
            self._known[key] = order
            if len(self._known) > KEPT_ORDERS:
                self._known.popitem(last=False)
        return self._known[key]

    async def _share_since(self, what: str, symbol: str, since_ms: int, ask: Callable[[int], Awaitable[Any]]) -> Any:
        """Return what is there since the earliest of the times that those ask for who share the question."""
        key = what, symbol
        self._since_ms[key] = min(since_ms, self._since_ms.get(key, since_ms))
        return await self._share(key, lambda: ask(self._since_ms.pop(key)))

    async def _share(self, key: Hashable, ask: Callable[[], Awaitable[Any]]) -> Any:
        asked = self._asked.get(key)
        if asked is None:
            asked = self._asked[key] = asyncio.create_task(self._ask(key, ask), name=f"question {key}")
            asked.add_done_callback(_retrieve)
        # One asker's cancellation is not the others'.
        return await asyncio.shield(asked)

    async def _ask(self, key: Hashable, ask: Callable[[], Awaitable[Any]]) -> Any:
        async with self._turns[key]:
            # Whoever comes from now on needs a later answer.
            del self._asked[key]
            return await ask()


def _retrieve(task: "asyncio.Task[Any]") -> None:
    if not task.cancelled():
        task.exception()
