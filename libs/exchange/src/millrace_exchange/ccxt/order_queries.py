"""Questions about one account's orders, through ccxt."""

from typing import Any

from millrace_core.clock import now_ms
from millrace_core.market import Balances, Trade
from millrace_core.orders import Order
from millrace_exchange.ccxt.caller import CcxtCaller
from millrace_exchange.ccxt.classification import classify_answer
from millrace_exchange.ccxt.conversion import balances_of, order_of, trade_of
from millrace_exchange.ccxt.market_listing import MarketListing
from millrace_exchange.errors import OrderNotFound


class CcxtOrderQueries:
    """The port `OrderQueries`."""

    def __init__(self, caller: CcxtCaller, listing: MarketListing | None = None) -> None:
        self._caller = caller
        self._listing = listing or MarketListing(caller)

    async def fetch_order(
        self, symbol: str, *, order_id: str | None = None, client_order_id: str | None = None
    ) -> Order | None:
        """Return one order, by the exchange's id or by ours; None if the exchange answers that it has no such order.

        Where it cannot be asked by our id, the open orders are searched for it.
        """
        if order_id is None and not self._caller.profile.client_order_ids.fetches:
            open_orders = await self.fetch_open_orders(symbol)
            return next((order for order in open_orders if order.client_order_id == client_order_id), None)
        params = self._id_params(order_id, client_order_id)
        ask = self._caller.ccxt.fetch_order
        try:
            answer = await self._caller.call("fetchOrder", ask, order_id or "", symbol, params)
        except OrderNotFound:
            return None
        return self._identified("fetchOrder", answer)

    async def fetch_open_orders(self, symbol: str | None = None) -> list[Order]:
        """Return the open orders of a symbol, or all."""
        answer = await self._caller.call("fetchOpenOrders", self._caller.ccxt.fetch_open_orders, symbol)
        return [self._identified("fetchOpenOrders", order) for order in answer]

    async def fetch_my_trades(self, symbol: str, since_ms: int | None = None) -> list[Trade]:
        """Return the account's own trades in a symbol, oldest first: the newest, or those since a time.

        Where one answer covers a limited span, as many are asked for as it takes to reach from then until now.
        """
        window = self._caller.profile.history.own_trades
        if since_ms is None:
            return await self._own_trades(symbol)
        found: list[Trade] = []
        if window.width_ms is not None:
            # Mostly the newest reach back far enough, and one question does.
            found = await self._own_trades(symbol, None, window.page)
            if any(_time(trade) <= since_ms for trade in found):
                return [trade for trade in found if _time(trade) >= since_ms]
        for start_ms in window.starts(since_ms, now_ms()):
            found += await self._own_trades_of_span(symbol, start_ms)
        return sorted(dict.fromkeys(found), key=_time)

    async def _own_trades_of_span(self, symbol: str, start_ms: int) -> list[Trade]:
        """Return every own trade of the span that answers from a time on cover, asking on while one is full."""
        window = self._caller.profile.history.own_trades
        found = page = await self._own_trades(symbol, start_ms, window.page)
        since_ms, params = start_ms, dict[str, int]()
        while len(page) >= window.page:
            if window.full_page == "newest":
                params = {"until": _time(page[0])}
            else:
                since_ms = _time(page[-1])
            page = await self._own_trades(symbol, since_ms, window.page, params)
            if set(page) <= set(found):
                break
            found = [*found, *page]
        return found

    async def _own_trades(self, symbol: str, *arguments: Any) -> list[Trade]:
        raw = await self._caller.call("fetchMyTrades", self._caller.ccxt.fetch_my_trades, symbol, *arguments)
        return [trade_of(trade) for trade in raw]

    async def fetch_balance(self) -> Balances:
        """Return every balance that is not zero."""
        balances = balances_of(await self._caller.call("fetchBalance", self._caller.ccxt.fetch_balance))
        return {code: balance for code, balance in balances.items() if balance.total}

    def _identified(self, action: str, answer: dict[str, Any]) -> Order:
        # An answer cut short becomes an order without an id, which proves nothing.
        if (error := classify_answer(self._caller.profile, action, answer)) is not None:
            raise error
        return order_of(answer)

    def _id_params(self, order_id: str | None, client_order_id: str | None) -> dict[str, Any]:
        if order_id is not None or client_order_id is None:
            return {}
        return self._caller.profile.client_order_ids.params(client_order_id)


def _time(trade: Trade) -> int:
    return trade.timestamp or 0
