"""Settling what is unknown: the exchange is asked until it proves what became of a request; nothing is sent again."""

import asyncio
from collections.abc import Callable

from millrace_core.clock import now_ms
from millrace_core.ids import RequestId
from millrace_core.messages import Response
from millrace_core.orders import Order
from millrace_core.requests import CancelAllOrders, CancelOrder, CreateOrder, CreatePayload, EditOrder, Request
from millrace_exchange import Exchange, ExchangeError, OrderQueries, Retryable
from millrace_executor.evidence import Evidence, conclude, meets

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 5.0
CLOCK_SLACK_MS = 60_000
"""How far the exchange's clock may be off ours when its trades are searched."""


class Resolver:
    """Asks one account about its requests."""

    def __init__(self, exchange: Exchange, on_trouble: Callable[[ExchangeError], None]) -> None:
        self._account: OrderQueries = exchange.execution
        self._settling_ms = exchange.profile.settlement_window_ms
        self._on_trouble = on_trouble

    async def resolve(self, request_id: RequestId, request: Request, client_order_id: str, sent_ms: int) -> Response:
        """Ask until the final answer is proven. `sent_ms` is the latest moment at which it may have been sent."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                if answer := await self.ask_once(request_id, request, client_order_id, sent_ms):
                    return answer
            except ExchangeError as error:
                self._on_trouble(error)
                if isinstance(error, Retryable):
                    pause_s = max(pause_s, error.retry_after_ms / 1000)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def ask_once(
        self, request_id: RequestId, request: Request, client_order_id: str, sent_ms: int
    ) -> Response | None:
        """Ask once; give the final answer if that proves it.

        Raises:
            ExchangeError: it could not be asked.
        """
        # Read before asking: the answer must be of a time when everything had settled.
        settled = now_ms() > sent_ms + self._settling_ms
        if isinstance(request, CancelAllOrders):
            still_open = await self._account.fetch_open_orders(request.payload.symbol)
            return conclude(request_id, request, Evidence(settled, still_open=tuple(still_open)))
        order = await self._find(request, client_order_id)
        if order is None and settled and isinstance(request, CreateOrder):
            since_ms = sent_ms - CLOCK_SLACK_MS
            order = await order_of_own_trades(self._account, request.payload, client_order_id, since_ms)
        return conclude(request_id, request, Evidence(settled, order=order))

    async def _find(self, request: Request, client_order_id: str) -> Order | None:
        match request:
            case CreateOrder(payload=create):
                return await self._by_our_id(create.symbol, client_order_id)
            case CancelOrder(payload=cancel):
                return await self._account.fetch_order(
                    cancel.symbol, order_id=cancel.order_id, client_order_id=cancel.client_order_id
                )
            case EditOrder(payload=edit):
                replaced = await self._by_our_id(edit.symbol, client_order_id)
                if replaced is not None and meets(replaced, edit):
                    return replaced
                return await self._account.fetch_order(
                    edit.symbol, order_id=edit.order_id, client_order_id=edit.client_order_id
                )
        return None

    async def _by_our_id(self, symbol: str, client_order_id: str) -> Order | None:
        order = await self._account.fetch_order(symbol, client_order_id=client_order_id)
        if order is not None:
            return order
        still_open = await self._account.fetch_open_orders(symbol)
        return next((each for each in still_open if each.client_order_id == client_order_id), None)


async def order_of_own_trades(
    account: OrderQueries, payload: CreatePayload, client_order_id: str, since_ms: int
) -> Order | None:
    """Find an order by the trades that it made, asking for each order behind them; None if none is under our id.

    KuCoin finds an order by our id only while it is open: one that was filled shows by its trades alone.
    """
    trades = await account.fetch_my_trades(payload.symbol, since_ms)
    for order_id in dict.fromkeys(trade.order for trade in trades if trade.order and trade.side == payload.side):
        order = await account.fetch_order(payload.symbol, order_id=order_id)
        if order is not None and order.client_order_id == client_order_id:
            return order
    return None
