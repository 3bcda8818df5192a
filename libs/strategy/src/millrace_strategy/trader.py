"""How a strategy trades: each call sends a request and returns at once a `PendingRequest` for its answer."""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from millrace_core.clock import NS_PER_MS, Clock
from millrace_core.ids import RequestId
from millrace_core.messages import Response, decimal_of, encode
from millrace_core.names import ExchangeId
from millrace_core.requests import (
    DEFAULT_VALID_FOR_MS,
    CancelAllOrders,
    CancelAllPayload,
    CancelOrder,
    CancelPayload,
    CreateOrder,
    CreatePayload,
    EditOrder,
    EditPayload,
    OrderRequest,
)
from millrace_core.trace import Trace
from millrace_strategy.errors import StrategyStopped
from millrace_strategy.orders import OrderReference, key_of
from millrace_strategy.pending import PendingRequest
from millrace_strategy.timers import CallLater

Number = Decimal | float | str
"""Amounts and prices; a float stands for the digits that it prints."""
TimeInForce = Literal["GTC", "IOC", "FOK", "GTD", "PO"]


class Trader:
    """Makes requests to trade in the name of one strategy, which its orders carry as their source.

    Every method sends its request and returns at once. Await what it returns for the final answer, or use
    `on_response`. A request is valid for 5 s unless `valid_for_ms` says otherwise: later it is answered `expired`
    and nothing is placed. `params` are passed to ccxt unchanged.

    Every method raises `StrategyStopped` once the strategy has ended, `ValueError` for an amount or a price
    that is not a finite number, and `TypeError` for `params` or a validity that no message can carry: nothing was sent.
    """

    def __init__(
        self,
        source: str,
        *,
        now_ns: Clock,
        call_later: CallLater,
        new_request_id: Callable[[], RequestId],
        send: Callable[[OrderRequest], None],
    ) -> None:
        self._source = source
        self._now_ns = now_ns
        self._call_later = call_later
        self._new_request_id = new_request_id
        self._send = send
        self._pending: dict[str, PendingRequest] = {}
        self._stopped = False
        self.cause = Trace()
        """The trace of the event being handled, which requests carry on."""

    @property
    def pending(self) -> list[PendingRequest]:
        """Return the requests without a final answer, oldest first."""
        return list(self._pending.values())

    def create_order(
        self,
        *,
        exchange: str,
        symbol: str,
        side: Literal["buy", "sell"],
        type: Literal["limit", "market"],  # noqa: A002 - the field's name
        amount: Number | None = None,
        cost: Number | None = None,
        price: Number | None = None,
        trigger_price: Number | None = None,
        time_in_force: TimeInForce | None = None,
        post_only: bool = False,
        reduce_only: bool = False,
        valid_for_ms: int = DEFAULT_VALID_FOR_MS,
        params: dict[str, Any] | None = None,
    ) -> PendingRequest:
        """Place an order of `amount` in base currency; a market order may have a `cost` in quote currency instead."""
        payload = CreatePayload(
            symbol=symbol,
            side=side,
            type=type,
            amount_base=exact_number("amount", amount),
            amount_quote=exact_number("cost", cost),
            price=exact_number("price", price),
            trigger_price=exact_number("trigger_price", trigger_price),
            time_in_force=time_in_force,
            post_only=post_only,
            reduce_only=reduce_only,
            order_source=self._source,
            params=params or {},
        )
        return self._request(CreateOrder(payload=payload, **self._envelope(exchange, valid_for_ms)), symbol)

    def cancel_order(
        self,
        order: OrderReference,
        *,
        valid_for_ms: int = DEFAULT_VALID_FOR_MS,
        params: dict[str, Any] | None = None,
    ) -> PendingRequest:
        """Cancel an order, named by itself or by (exchange, symbol, id).

        Raises:
            TypeError: it is named by its id alone.
        """
        exchange, symbol, order_id = key_of(order)
        payload = CancelPayload(symbol=symbol, order_id=order_id, order_source=self._source, params=params or {})
        return self._request(CancelOrder(payload=payload, **self._envelope(exchange, valid_for_ms)), symbol)

    def cancel_client_order(
        self,
        client_order_id: str,
        *,
        exchange: str,
        symbol: str,
        valid_for_ms: int = DEFAULT_VALID_FOR_MS,
        params: dict[str, Any] | None = None,
    ) -> PendingRequest:
        """Cancel an order, named by the client order id that the exchange has of it."""
        payload = CancelPayload(
            symbol=symbol, client_order_id=client_order_id, order_source=self._source, params=params or {}
        )
        return self._request(CancelOrder(payload=payload, **self._envelope(exchange, valid_for_ms)), symbol)

    def edit_order(
        self,
        order: OrderReference,
        *,
        side: Literal["buy", "sell"] | None = None,
        type: Literal["limit", "market"] | None = None,  # noqa: A002 - the field's name
        amount: Number | None = None,
        price: Number | None = None,
        trigger_price: Number | None = None,
        valid_for_ms: int = DEFAULT_VALID_FOR_MS,
        params: dict[str, Any] | None = None,
    ) -> PendingRequest:
        """Change an open order, named as for `cancel_order`; terms that are left out stay."""
        exchange, symbol, order_id = key_of(order)
        payload = EditPayload(
            symbol=symbol,
            order_id=order_id,
            side=side,
            type=type,
            amount_base=exact_number("amount", amount),
            price=exact_number("price", price),
            trigger_price=exact_number("trigger_price", trigger_price),
            order_source=self._source,
            params=params or {},
        )
        return self._request(EditOrder(payload=payload, **self._envelope(exchange, valid_for_ms)), symbol)

    def cancel_all_orders(
        self,
        *,
        exchange: str,
        symbol: str | None = None,
        valid_for_ms: int = DEFAULT_VALID_FOR_MS,
        params: dict[str, Any] | None = None,
    ) -> PendingRequest:
        """Cancel all open orders of the account, or of one symbol, whatever their source."""
        payload = CancelAllPayload(symbol=symbol, order_source=self._source, params=params or {})
        return self._request(CancelAllOrders(payload=payload, **self._envelope(exchange, valid_for_ms)), symbol)

    def answer(self, response: Response) -> PendingRequest | None:
        """Settle the request that this answers, and return it; None if it is not one of ours. For hosts only."""
        pending = self._pending.get(response.request_id)
        if pending is not None:
            pending.settle(response)
            if pending.is_final:
                del self._pending[response.request_id]
        return pending

    def take_over(self, earlier: "Trader") -> None:
        """Wait for the answers to another trader's requests, in its place. For hosts only."""
        self._pending.update(earlier._pending)
        earlier._pending.clear()

    def stop(self) -> None:
        """Send nothing any more, and end the waiting for answers. For hosts only."""
        self._stopped = True
        for pending in self._pending.values():
            pending.abandon()

    def _envelope(self, exchange: str, valid_for_ms: int) -> dict[str, Any]:
        if not isinstance(valid_for_ms, int):
            raise TypeError(f"valid_for_ms is {valid_for_ms!r}; it must be a whole number of ms")
        now_ns = self._now_ns()
        return {
            "exchange_id": exchange,
            "request_id": self._new_request_id(),
            "requested_at": now_ns // NS_PER_MS,
            "valid_for": valid_for_ms,
            "trace": self.cause.at(decided=now_ns),
        }

    def _request(self, request: OrderRequest, symbol: str | None) -> PendingRequest:
        if self._stopped:
            raise StrategyStopped(f"{self._source} was stopped; nothing was sent")
        pending = PendingRequest(request, ExchangeId(request.exchange_id or ""), symbol, self._call_later)
        if request.payload.params:
            encode(request.payload.params)  # Raises here what would be raised where the strategy does not see it.
        # Known before it is sent: an answer can be quicker than the return of this call.
        self._pending[pending.request_id] = pending
        self._send(request)
        return pending


def exact_number(name: str, value: Number | None) -> Decimal | None:
    """Return a number as a decimal; None for None.

    Raises:
        ValueError: it is not a finite number; the text has its name.
    """
    try:
        number = decimal_of(value)
    except InvalidOperation:
        number = None
    if number is None and value is not None:
        raise ValueError(f"{name} is {value!r}; it must be a finite number")
    return number
