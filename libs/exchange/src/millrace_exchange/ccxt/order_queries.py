"""Questions about one account's orders, through ccxt."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

from millrace_core.market import Balances, ExchangePosition, Trade
from millrace_core.orders import Order
from millrace_core.requests import CancelPayload, EditPayload
from millrace_exchange.ccxt.caller import CcxtCaller
from millrace_exchange.ccxt.checked_answer import Asked, CheckedAnswer
from millrace_exchange.ccxt.delisted import DelistedOrders
from millrace_exchange.ccxt.history import HistoryReader, Page
from millrace_exchange.ccxt.market_listing import MarketListing
from millrace_exchange.ccxt.open_orders import OpenOrders
from millrace_exchange.ccxt.recording.sending import Sending
from millrace_exchange.errors import IncompleteList, OrderNotFound


class FetchedOrder(NamedTuple):
    """An order that was asked for."""

    order: Order
    record: Mapping[str, Any] = MappingProxyType({})
    """What the exchange itself says of it; empty where it was found in a list."""


class CcxtOrderQueries:
    """The port `OrderQueries`."""

    def __init__(self, caller: CcxtCaller, listing: MarketListing | None = None) -> None:
        self._caller = caller
        self._listing = listing or MarketListing(caller)
        self._open_orders = OpenOrders(caller, self._listing)

    async def fetch_order(
        self, symbol: str, *, order_id: str | None = None, client_order_id: str | None = None
    ) -> Order | None:
        """Return one order, by the exchange's id or by ours; None if the exchange answers that it has no such order.

        Where it cannot be asked by our id, the open orders are searched for it.
        """
        found = await self.fetch_record(symbol, order_id=order_id, client_order_id=client_order_id)
        return None if found is None else found.order

    async def fetch_record(
        self, symbol: str, *, order_id: str | None = None, client_order_id: str | None = None
    ) -> FetchedOrder | None:
        """Return one order as `fetch_order` does, with the exchange's own record of it."""
        if order_id is None and not self._caller.profile.client_order_ids.fetches:
            return await self._among_open(symbol, client_order_id)
        # Each question about a symbol does so: a list of markets that came without it is not believed for an hour.
        await self._listing.know(symbol)
        params = self._id_params(order_id, client_order_id)
        ask, sending = self._caller.ccxt.fetch_order, Sending()
        checked = CheckedAnswer(self._caller.profile, "fetchOrder", sending)
        try:
            answer = await self._caller.call("fetchOrder", ask, order_id or "", symbol, params, timed=sending)
        except OrderNotFound as error:
            checked.check_absence(error)
            return None
        if checked.is_empty_list:
            return None
        asked = Asked(symbol, order_id, client_order_id, by_our_id=order_id is None)
        return FetchedOrder(checked.order(answer, asked), answer["info"])

    async def _among_open(self, symbol: str, client_order_id: str | None) -> FetchedOrder | None:
        cut: IncompleteList | None = None
        try:
            open_orders = await self.fetch_open_orders(symbol)
        except IncompleteList as error:
            open_orders, cut = error.rows, error
        ours = next((order for order in open_orders if order.client_order_id == client_order_id), None)
        if ours is None and cut is not None:
            raise cut
        return None if ours is None else FetchedOrder(ours)

    async def found(self, action: str, payload: CancelPayload | EditPayload) -> FetchedOrder:
        """Return the order that a payload names.

        Raises:
            OrderNotFound: the exchange has no such order.
            Retryable, Rejected, Fatal: it cannot be asked.
        """
        found = await self.fetch_record(
            payload.symbol, order_id=payload.order_id, client_order_id=payload.client_order_id
        )
        if found is None:
            exchange = self._caller.profile.exchange
            raise OrderNotFound("no such order", exchange=exchange, action=action, kind="OrderNotFound")
        return found

    async def fetch_open_orders(self, symbol: str | None = None) -> list[Order]:
        """Return all open orders of a symbol, or of the account.

        Raises:
            IncompleteList: there may be more than the exchange lists.
            Retryable, Rejected, Fatal: they cannot be asked for.
        """
        if symbol is not None:
            await self._listing.know(symbol)
        return await self._open_orders.fetch(symbol)

    async def fetch_delisted_orders(
        self, symbol: str, order_ids: Collection[str], since_ms: int
    ) -> dict[str, Order | None]:
        """Return what the exchange says of orders in a market that it lists no more. See the port.

        Raises:
            Retryable, Fatal: they cannot be asked for.
        """
        delisted = DelistedOrders(self._caller, self._open_orders, partial(self._closed_orders, None))
        return await delisted.fetch(symbol, order_ids, since_ms)

    async def fetch_closed_orders(self, symbol: str, since_ms: int) -> list[Order]:
        """Return a symbol's orders that ended, of those made or changed since a time; empty where none are listed.

        Raises:
            IncompleteList: there may be more than the exchange lists.
            Retryable, Rejected, Fatal: they cannot be asked for.
        """
        return await self._closed_orders(symbol, since_ms, {})

    async def _closed_orders(self, symbol: str | None, since_ms: int, of_kind: Mapping[str, str]) -> list[Order]:
        methods = closed_order_methods(self._caller.ccxt.has)
        found = [await self._orders_since(method, symbol, since_ms, of_kind) for method in methods]
        ended = (order for orders in found for order in orders if order.is_final)
        return sorted(ended, key=lambda order: order.timestamp or 0)

    async def _orders_since(
        self, method: str, symbol: str | None, since_ms: int, of_kind: Mapping[str, str]
    ) -> list[Order]:
        await self._listing.know(symbol)
        ask, window = getattr(self._caller.ccxt, method), self._caller.profile.history.closed_orders

        async def page(from_ms: int, params: Mapping[str, int]) -> Page[Order]:
            asked = (symbol, from_ms, window.page, {**window.params, **of_kind, **params})
            raw, checked = await self._ask("fetchClosedOrders", ask, *asked)
            # Also those that ccxt leaves out: they were made before that time, and ended after it.
            return Page(checked.orders_sent(raw, symbol), checked.size(raw))

        incomplete = self._incomplete("fetchClosedOrders")
        found = await HistoryReader(window, page, lambda order: order.id, incomplete).since(
            since_ms, self._caller.clock.now_ms()
        )
        return [each for each in found if max(each.timestamp or 0, each.last_update_timestamp or 0) >= since_ms]

    async def fetch_my_trades(self, symbol: str, since_ms: int | None = None) -> list[Trade]:
        """Return the account's own trades in a symbol, oldest first: the newest, or those since a time.

        Where one answer covers a limited span, as many are asked for as it takes to reach from then until now.

        Raises:
            IncompleteList: there may be more since then than the exchange lists.
            Retryable, Rejected, Fatal: they cannot be asked for.
        """
        window = self._caller.profile.history.own_trades
        if since_ms is None:
            return (await self._own_trades(symbol)).rows
        if window.width_ms is not None:
            # Mostly the newest reach back far enough, and one question does.
            newest = (await self._own_trades(symbol, None, window.page)).rows
            if any((trade.timestamp or 0) <= since_ms for trade in newest):
                return [trade for trade in newest if (trade.timestamp or 0) >= since_ms]

        async def page(from_ms: int, params: Mapping[str, int]) -> Page[Trade]:
            return await self._own_trades(symbol, from_ms, window.page, {**window.params, **params})

        incomplete = self._incomplete("fetchMyTrades")
        return await HistoryReader(window, page, _trade_identity, incomplete).since(
            since_ms, self._caller.clock.now_ms()
        )

    def _incomplete(self, action: str) -> Callable[[Sequence[Any]], IncompleteList]:
        return lambda rows: IncompleteList(rows, exchange=self._caller.profile.exchange, action=action)

    async def _own_trades(self, symbol: str, *arguments: Any) -> Page[Trade]:
        await self._listing.know(symbol)
        raw, checked = await self._ask("fetchMyTrades", self._caller.ccxt.fetch_my_trades, symbol, *arguments)
        return Page(checked.trades(raw, symbol), checked.size(raw))

    async def fetch_balance(self) -> Balances:
        """Return every balance that is not zero, and those of which something is owed."""
        answer, checked = await self._ask("fetchBalance", self._caller.ccxt.fetch_balance)
        return {code: balance for code, balance in checked.balances(answer).items() if balance.total or balance.debt}

    async def fetch_positions(self) -> list[ExchangePosition]:
        """Return the open positions."""
        answer, checked = await self._ask("fetchPositions", self._caller.ccxt.fetch_positions)
        return [position for position in checked.positions(answer) if position.contracts]

    async def _ask(
        self, action: str, method: Callable[..., Awaitable[Any]], *arguments: Any
    ) -> tuple[Any, CheckedAnswer]:
        sending = Sending()
        answer = await self._caller.call(action, method, *arguments, timed=sending)
        return answer, CheckedAnswer(self._caller.profile, action, sending)

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
