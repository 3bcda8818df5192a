"""Questions about one account's orders, through ccxt."""

from collections.abc import Mapping
from typing import Any

from millrace_core.clock import now_ms
from millrace_core.market import Balances, ExchangePosition, Trade
from millrace_core.orders import Order
from millrace_exchange.ccxt.caller import CcxtCaller
from millrace_exchange.ccxt.classification import classify_answer
from millrace_exchange.ccxt.conversion import balances_of, order_of, positions_of, trade_of
from millrace_exchange.ccxt.history import HistoryReader
from millrace_exchange.ccxt.market_listing import MarketListing
from millrace_exchange.errors import OrderNotFound, Rejected


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
        try:
            answer = await self._caller.call("fetchOpenOrders", self._caller.ccxt.fetch_open_orders, symbol)
        except Rejected:
            method = self._caller.profile.open_symbols_method
            if symbol is not None or method is None:
                raise
            return [order for each in await self._open_symbols(method) for order in await self.fetch_open_orders(each)]
        return [self._identified("fetchOpenOrders", order) for order in answer]

    async def _open_symbols(self, method: str) -> list[str]:
        ccxt = self._caller.ccxt
        answer = await self._caller.call("fetchOpenOrders", getattr(ccxt, method))
        return [ccxt.safe_symbol(market_id) for market_id in answer["data"]["symbols"]]

    async def fetch_closed_orders(self, symbol: str, since_ms: int) -> list[Order]:
        """Return a symbol's orders that ended, of those made or changed since a time; empty where none are listed."""
        found = [
            await self._orders_since(method, symbol, since_ms) for method in closed_order_methods(self._caller.ccxt.has)
        ]
        ended = (order for orders in found for order in orders if order.is_final)
        return sorted(ended, key=lambda order: order.timestamp or 0)

    async def _orders_since(self, method: str, symbol: str, since_ms: int) -> list[Order]:
        ask, window = getattr(self._caller.ccxt, method), self._caller.profile.history.closed_orders

        async def page(from_ms: int, params: Mapping[str, int]) -> list[Order]:
            raw = await self._caller.call("fetchClosedOrders", ask, symbol, from_ms, window.page, dict(params))
            return [self._identified("fetchClosedOrders", order) for order in raw]

        return await HistoryReader(window, page, lambda order: order.id).since(since_ms, now_ms())

    async def fetch_my_trades(self, symbol: str, since_ms: int | None = None) -> list[Trade]:
        """Return the account's own trades in a symbol, oldest first: the newest, or those since a time.

        Where one answer covers a limited span, as many are asked for as it takes to reach from then until now.
        """
        window = self._caller.profile.history.own_trades
        if since_ms is None:
            return await self._own_trades(symbol)
        if window.width_ms is not None:
            # Mostly the newest reach back far enough, and one question does.
            newest = await self._own_trades(symbol, None, window.page)
            if any((trade.timestamp or 0) <= since_ms for trade in newest):
                return [trade for trade in newest if (trade.timestamp or 0) >= since_ms]

        async def page(from_ms: int, params: Mapping[str, int]) -> list[Trade]:
            return await self._own_trades(symbol, from_ms, window.page, dict(params))

        return await HistoryReader(window, page, _trade_identity).since(since_ms, now_ms())

    async def _own_trades(self, symbol: str, *arguments: Any) -> list[Trade]:
        raw = await self._caller.call("fetchMyTrades", self._caller.ccxt.fetch_my_trades, symbol, *arguments)
        return [trade_of(trade) for trade in raw]

    async def fetch_balance(self) -> Balances:
        """Return every balance that is not zero."""
        balances = balances_of(await self._caller.call("fetchBalance", self._caller.ccxt.fetch_balance))
        return {code: balance for code, balance in balances.items() if balance.total}

    async def fetch_positions(self) -> list[ExchangePosition]:
        """Return the open positions."""
        answer = await self._caller.call("fetchPositions", self._caller.ccxt.fetch_positions)
        return [position for position in positions_of(answer) if position.contracts]

    def _identified(self, action: str, answer: dict[str, Any]) -> Order:
        # An answer cut short becomes an order without an id, which proves nothing.
        if (error := classify_answer(self._caller.profile, action, answer)) is not None:
            raise error
        return order_of(answer)

    def _id_params(self, order_id: str | None, client_order_id: str | None) -> dict[str, Any]:
        if order_id is not None or client_order_id is None:
            return {}
        return self._caller.profile.client_order_ids.params(client_order_id)


def closed_order_methods(has: Mapping[str, Any]) -> tuple[str, ...]:
    """Return ccxt's methods that together list an account's orders that ended, filled and canceled ones.

    On some exchanges "closed" means filled, on others it means ended. What ccxt emulates it sifts out of a page, whose
    length then proves nothing.
    """
    for action, method in (
        ("fetchOrders", "fetch_orders"),
        ("fetchCanceledAndClosedOrders", "fetch_canceled_and_closed_orders"),
    ):
        if has.get(action) is True:
            return (method,)
    each = (("fetchClosedOrders", "fetch_closed_orders"), ("fetchCanceledOrders", "fetch_canceled_orders"))
    return tuple(method for action, method in each if has.get(action) is True)


def _trade_identity(trade: Trade) -> object:
    return (trade.id, trade.order) if trade.id is not None else trade
