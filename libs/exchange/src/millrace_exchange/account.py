"""One account's orders: what the executor does on an exchange."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from millrace_core.clock import now_ns
from millrace_core.market import Balances, Trade
from millrace_core.orders import Order
from millrace_core.requests import CancelAllPayload, CancelPayload, CreatePayload, EditPayload
from millrace_exchange.client_ids import client_order_id_params
from millrace_exchange.conversion import order_of
from millrace_exchange.errors import Rejected, Retryable
from millrace_exchange.meaning import classify
from millrace_exchange.order_arguments import create_arguments, digits, edit_params, further_params
from millrace_exchange.profiles import profile_of
from millrace_exchange.recording.digits import decided
from millrace_exchange.recording.exchange import Sending

if TYPE_CHECKING:
    from millrace_exchange.connection import Exchange


class Placed(NamedTuple):
    """What the exchange answered, and when."""

    order: Order
    """The order as far as the answer tells; its `id` is always there."""
    sent_ns: int
    """The request was handed to the socket, wall clock."""
    acknowledged_ns: int
    """The answer was read, wall clock."""


class CanceledAll(NamedTuple):
    """What the exchange answered to a request to cancel everything, and when."""

    orders: list[Order]
    sent_ns: int
    acknowledged_ns: int


class Account:
    """Places, changes and asks for the orders of one account.

    Every method may be cancelled; what that means for an order on its way is `OutcomeUnknown`, which the
    caller must then assume. Nothing that may have left is ever sent twice by itself.

    Raises:
        Retryable, Rejected, OutcomeUnknown, Fatal: from every method, see `millrace_exchange.errors`.
    """

    def __init__(self, exchange: "Exchange") -> None:
        self._exchange = exchange

    async def create_order(self, payload: CreatePayload, client_order_id: str) -> Placed:
        """Place an order under our own id (see `client_order_id`)."""
        ccxt = self._exchange.ccxt
        arguments = create_arguments(
            profile_of(self._exchange.id),
            payload,
            client_order_id,
            market_buy_requires_price=bool(ccxt.options.get("createMarketBuyOrderRequiresPrice")),
        )
        with decided(payload.amount_base, payload.amount_quote, payload.price, payload.trigger_price):
            return await self._trade("createOrder", "create_order", *arguments)

    async def cancel_order(self, payload: CancelPayload) -> Placed:
        """Cancel an order named by the exchange's id or by ours."""
        further = further_params(profile_of(self._exchange.id), "cancelOrder", payload)
        params = {**further, **self._named(payload.order_id, payload.client_order_id)}
        return await self._trade("cancelOrder", "cancel_order", payload.order_id or "", payload.symbol, params)

    async def edit_order(self, payload: EditPayload, client_order_id: str) -> Placed:
        """Change an open order; where the exchange can only replace it, the new one carries `client_order_id`.

        What the payload leaves as it is is asked for first: exchanges want the whole.
        """
        order = await self.fetch_order(
            payload.symbol, order_id=payload.order_id, client_order_id=payload.client_order_id
        )
        if order is None:
            raise Rejected("no such order", exchange=self._exchange.id, action="editOrder", kind="OrderNotFound")
        amount, price = payload.amount_base or order.amount, payload.price or order.price
        params = edit_params(profile_of(self._exchange.id), payload, client_order_id)
        with decided(amount, price, payload.trigger_price):
            return await self._send(
                "editOrder",
                self._exchange.ccxt.edit_order,
                order.id,
                payload.symbol,
                payload.type or order.type,
                payload.side or order.side,
                digits(amount),
                digits(price),
                params,
            )

    async def cancel_all_orders(self, payload: CancelAllPayload) -> CanceledAll:
        """Cancel the open orders of a symbol, or all; gives those that were canceled.

        Several symbols are several requests: a failure at one leaves those before it canceled.
        """
        params = further_params(profile_of(self._exchange.id), "cancelAllOrders", payload)
        symbols = [payload.symbol] if payload.symbol else await self._symbols_with_open_orders()
        timed, orders = Sending(), list[Order]()
        for symbol in symbols:
            orders += await self._cancel_all_of(symbol, params, timed)
        acknowledged = now_ns()
        return CanceledAll(orders, timed.at_ns or acknowledged, acknowledged)

    async def _symbols_with_open_orders(self) -> list[str]:
        return sorted({order.symbol for order in await self.fetch_open_orders() if order.symbol is not None})

    async def _cancel_all_of(self, symbol: str, params: dict[str, Any], timed: Sending) -> list[Order]:
        method = self._exchange.ccxt.cancel_all_orders
        try:
            answer = await self._exchange.call("cancelAllOrders", method, symbol, dict(params), timed=timed)
        except Rejected as error:
            if error.kind == "OrderNotFound":
                return []
            raise
        return [order_of(order) for order in answer if order.get("id")]

    async def fetch_order(
        self, symbol: str, *, order_id: str | None = None, client_order_id: str | None = None
    ) -> Order | None:
        """Ask for one order by the exchange's id or by ours; None where the exchange says that it knows none.

        None is no proof of absence until a while has passed: see "createOrder: what its result means".
        """
        params = self._named(order_id, client_order_id)
        try:
            answer = await self._exchange.call(
                "fetchOrder", self._exchange.ccxt.fetch_order, order_id or "", symbol, params
            )
        except Rejected as error:
            if error.kind == "OrderNotFound":
                return None
            raise
        return order_of(answer)

    async def fetch_open_orders(self, symbol: str | None = None) -> list[Order]:
        """Ask for the open orders of a symbol, or all."""
        answer = await self._exchange.call("fetchOpenOrders", self._exchange.ccxt.fetch_open_orders, symbol)
        return [order_of(order) for order in answer]

    async def fetch_my_trades(self, symbol: str, since_ms: int) -> list[Trade]:
        """Ask for the account's own trades in a symbol since a time, oldest first."""
        return await self._exchange.feed.fetch_my_trades(symbol, since_ms)

    async def fetch_balance(self) -> Balances:
        """Ask for all balances that are not zero."""
        return await self._exchange.feed.fetch_balance()

    def _named(self, order_id: str | None, client_id: str | None) -> dict[str, str]:
        if order_id is not None or client_id is None:
            return {}
        return client_order_id_params(self._exchange.id, client_id)

    async def _trade(self, action: str, method: str, *arguments: Any) -> Placed:
        ccxt = self._exchange.ccxt
        if self._exchange.trades_over_websocket:
            try:
                return await self._send(action, getattr(ccxt, f"{method}_ws"), *arguments)
            except Retryable as error:
                # Of a limit or a wrong clock the other way would only say the same.
                if error.kind != "NetworkError":
                    raise
        return await self._send(action, getattr(ccxt, method), *arguments)

    async def _send(self, action: str, method: Callable[..., Awaitable[Any]], *arguments: Any) -> Placed:
        timed = Sending()
        answer = await self._exchange.call(action, method, *arguments, timed=timed)
        acknowledged = now_ns()
        if (meaning := classify(self._exchange.id, action, answer)) is not None:
            raise meaning
        return Placed(order_of(answer), timed.at_ns or acknowledged, acknowledged)
