"""Changes of one account's orders, through ccxt."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from millrace_core.clock import now_ns
from millrace_core.orders import Order
from millrace_core.requests import CancelAllPayload, CancelPayload, CreatePayload, EditPayload
from millrace_exchange.ccxt.classification import classify_answer
from millrace_exchange.ccxt.conversion import order_of
from millrace_exchange.ccxt.order_arguments import (
    create_arguments,
    digits,
    edit_params,
    further_params,
)
from millrace_exchange.ccxt.order_queries import CcxtOrderQueries
from millrace_exchange.ccxt.recording.digits import decided
from millrace_exchange.ccxt.recording.sending import Sending
from millrace_exchange.errors import OrderNotFound, Rejected, Retryable
from millrace_exchange.ports import Acknowledgement
from millrace_exchange.profile import ExchangeProfile


class CcxtExecutionClient(CcxtOrderQueries):
    """The port `ExecutionClient`."""

    async def create_order(self, payload: CreatePayload, client_order_id: str) -> Acknowledgement:
        """Place an order under our own id."""
        ccxt = self._caller.ccxt
        await self._listing.know(payload.symbol)
        arguments = create_arguments(
            self._caller.profile,
            payload,
            client_order_id,
            market_buy_requires_price=bool(ccxt.options.get("createMarketBuyOrderRequiresPrice")),
        )
        with decided(payload.amount_base, payload.amount_quote, payload.price, payload.trigger_price):
            return await self._send_fastest("createOrder", "create_order", *arguments)

    async def cancel_order(self, payload: CancelPayload) -> Acknowledgement:
        """Cancel an order, named by the exchange's id or by ours."""
        params, order_id = further_params(self._caller.profile, "cancelOrder", payload), payload.order_id
        if order_id is None and not self._caller.profile.client_order_ids.cancels:
            order_id = (await self._found("cancelOrder", payload)).id
        params |= self._id_params(order_id, payload.client_order_id)
        return await self._send_fastest("cancelOrder", "cancel_order", order_id or "", payload.symbol, params)

    async def edit_order(self, payload: EditPayload, client_order_id: str) -> Acknowledgement:
        """Change an open order; where the exchange replaces it, the new one carries `client_order_id`.

        Exchanges want all terms, so those that the payload leaves out are asked for first. The amount is that of the
        whole order, with what was filled: a fill between the question and the edit still comes on top of it.
        """
        if self._caller.profile.edit in ("unsupported", "unknown"):
            raise _not_editable(self._caller.profile, "an edit")
        order = await self._found("editOrder", payload)
        payload = self._complete(payload, order)
        amount, price = self._amount_to_send(payload, order), payload.price or order.price
        params = self._kept_terms(order) | edit_params(self._caller.profile, payload, client_order_id)
        with decided(amount, price, payload.trigger_price):
            return await self._send(
                "editOrder",
                self._caller.ccxt.edit_order,
                order.id,
                payload.symbol,
                self._post_only_type(order) or payload.type or order.type,
                payload.side or order.side,
                digits(amount),
                digits(price),
                params,
            )

    async def cancel_all_orders(self, payload: CancelAllPayload) -> Acknowledgement:
        """Cancel the open orders of a symbol, or all; return those that were canceled.

        Several symbols are several requests: a failure at one leaves those before it canceled.
        """
        params = further_params(self._caller.profile, "cancelAllOrders", payload)
        symbols = [payload.symbol] if payload.symbol else await self._symbols_with_open_orders()
        timed, orders = Sending(), list[Order]()
        for symbol in symbols:
            orders += await self._cancel_all_of(symbol, params, timed)
        acknowledged_ns = now_ns()
        return Acknowledgement(tuple(orders), timed.at_ns or acknowledged_ns, acknowledged_ns)

    def _complete(self, payload: EditPayload, order: Order) -> EditPayload:
        """Return an edit that keeps the trigger where a new order replaces the former."""
        profile = self._caller.profile
        if payload.trigger_price is None and profile.edit == "cancel_replace":
            payload = replace(payload, trigger_price=order.trigger_price)
        if payload.trigger_price is not None and not profile.trigger_orders:
            raise _not_editable(profile, "the edit of a stop")
        return payload

    def _kept_terms(self, order: Order) -> dict[str, Any]:
        """Return the terms that a new order would not have by itself; an amended one keeps them."""
        if self._caller.profile.edit != "cancel_replace":
            return {}
        post_only = {"postOnly": True} if order.post_only and self._caller.profile.post_only_type is None else {}
        return post_only | ({"reduceOnly": True} if order.reduce_only else {})

    def _post_only_type(self, order: Order) -> str | None:
        is_replaced = self._caller.profile.edit == "cancel_replace"
        return self._caller.profile.post_only_type if is_replaced and order.post_only else None

    def _amount_to_send(self, payload: EditPayload, order: Order) -> Decimal | None:
        """Return the amount of an edit as the exchange counts it, so that the total is what was asked for."""
        profile, total = self._caller.profile, payload.amount_base or order.amount
        if total is None or not order.filled or profile.edit_amount == "total":
            return total
        if profile.edit_amount == "unknown":
            raise _not_editable(profile, "the edit of a partly filled order")
        if total <= order.filled:
            reason = f"$.payload.amountBase: {order.filled:f} are filled; the new amount {total:f} must be larger"
            raise Rejected(reason, exchange=profile.exchange, action="editOrder", kind="InvalidOrder")
        return total - order.filled

    async def _found(self, action: str, payload: CancelPayload | EditPayload) -> Order:
        order = await self.fetch_order(
            payload.symbol, order_id=payload.order_id, client_order_id=payload.client_order_id
        )
        if order is None:
            exchange = self._caller.profile.exchange
            raise OrderNotFound("no such order", exchange=exchange, action=action, kind="OrderNotFound")
        return order

    async def _symbols_with_open_orders(self) -> list[str]:
        return sorted({order.symbol for order in await self.fetch_open_orders() if order.symbol is not None})

    async def _cancel_all_of(self, symbol: str, params: dict[str, Any], timed: Sending) -> list[Order]:
        method = self._caller.ccxt.cancel_all_orders
        try:
            answer = await self._caller.call("cancelAllOrders", method, symbol, dict(params), timed=timed)
        except OrderNotFound:
            return []
        return [order_of(order) for order in answer if order.get("id")]

    async def _send_fastest(self, action: str, method: str, *arguments: Any) -> Acknowledgement:
        ccxt = self._caller.ccxt
        if self._caller.profile.order_transport == "websocket":
            try:
                return await self._send(action, getattr(ccxt, f"{method}_ws"), *arguments, over_socket=True)
            except Retryable as error:
                # A limit or a wrong clock would only be reported again over REST.
                if not error.is_disconnected:
                    raise
        return await self._send(action, getattr(ccxt, method), *arguments)

    async def _send(
        self, action: str, method: Callable[..., Awaitable[Any]], *arguments: Any, over_socket: bool = False
    ) -> Acknowledgement:
        timed = Sending()
        answer = await self._caller.call(action, method, *arguments, timed=timed, over_socket=over_socket)
        acknowledged_ns = now_ns()
        if (error := classify_answer(self._caller.profile, action, answer)) is not None:
            raise error
        return Acknowledgement((order_of(answer),), timed.at_ns or acknowledged_ns, acknowledged_ns)


def _not_editable(profile: ExchangeProfile, what: str) -> Rejected:
    text = f"{what} is not supported on {profile.exchange}: cancel the order and create another"
    return Rejected(text, exchange=profile.exchange, action="editOrder", kind="NotSupported")
