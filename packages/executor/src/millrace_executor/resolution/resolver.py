"""Resolves unknown outcomes: asks the exchange until it proves what became of a request. Nothing is sent again."""

import asyncio

import structlog

from millrace_core.backoff import Backoff, BackoffPolicy
from millrace_core.clock import now_ms
from millrace_core.messages import Response
from millrace_core.orders import Order
from millrace_core.requests import CancelAllOrders, CancelOrder, CreateOrder, CreatePayload, EditOrder, Request
from millrace_exchange import Exchange, ExchangeError, OrderQueries
from millrace_executor.answering.intent_ledger import Intent
from millrace_executor.resolution.rules import Findings, conclude
from millrace_service import UnitHealthReporter

ASK_AGAIN = BackoffPolicy(first_s=0.25, limit_s=5.0)
CLOCK_SLACK_MS = 60_000
"""Allowed clock difference to the exchange when its trades are searched."""

log = structlog.get_logger()


class Resolver:
    """Asks one account's exchange about requests."""

    def __init__(self, exchange: Exchange, health: UnitHealthReporter) -> None:
        self._orders: OrderQueries = exchange.execution
        self._settlement_window_ms = exchange.profile.settlement_window_ms
        self._health = health
        self._unknown = 0

    async def resolve(self, intent: Intent) -> Response:
        """Ask about an intent that is marked unknown until its final answer is proven, and return that."""
        self._count_unknown(1)
        try:
            answer = await self._until_proven(intent)
        finally:
            self._count_unknown(-1)
        log.info("resolved the outcome of a request", request_id=intent.request_id, status=answer.status)
        return answer

    async def ask_once(self, intent: Intent) -> Response | None:
        """Ask once; return the final answer if that proves it.

        Raises:
            ExchangeError: the exchange could not be asked.
        """
        request = intent.request
        if request is None:
            return intent.verdict
        sent_ms = intent.sent_by or now_ms()
        # Read before asking: absence proves something only if the exchange answered after the window.
        window_over = now_ms() > sent_ms + self._settlement_window_ms
        if isinstance(request, CancelAllOrders):
            still_open = await self._orders.fetch_open_orders(request.payload.symbol)
            findings = Findings(window_over, still_open=tuple(still_open))
        else:
            our_id = intent.client_order_id or ""
            order = await self._find(request, our_id)
            if order is None and window_over and isinstance(request, CreateOrder):
                order = await order_of_own_trades(self._orders, request.payload, our_id, sent_ms - CLOCK_SLACK_MS)
            findings = Findings(window_over, order, is_ours=order is not None and order.client_order_id == our_id)
        return conclude(intent.request_id, request, findings)

    def report(self, error: ExchangeError) -> None:
        """Show in the account's heartbeat what the exchange did."""
        self._health.error(f"{error.action}: {error.kind}: {error}")

    async def _until_proven(self, intent: Intent) -> Response:
        backoff = Backoff(ASK_AGAIN)
        while True:
            pause_s = 0.0
            try:
                if answer := await self.ask_once(intent):
                    return answer
            except ExchangeError as error:
                self.report(error)
                pause_s = error.retry_after_s
            await asyncio.sleep(backoff.failed(at_least_s=pause_s))

    async def _find(self, request: Request, client_order_id: str) -> Order | None:
        match request:
            case CreateOrder(payload=create):
                return await self._by_our_id(create.symbol, client_order_id)
            case CancelOrder(payload=cancel):
                return await self._orders.fetch_order(
                    cancel.symbol, order_id=cancel.order_id, client_order_id=cancel.client_order_id
                )
            case EditOrder(payload=edit):
                replaced = await self._by_our_id(edit.symbol, client_order_id)
                if replaced is not None and replaced.status != "rejected":
                    return replaced
                return await self._orders.fetch_order(
                    edit.symbol, order_id=edit.order_id, client_order_id=edit.client_order_id
                )
        return None

    async def _by_our_id(self, symbol: str, client_order_id: str) -> Order | None:
        order = await self._orders.fetch_order(symbol, client_order_id=client_order_id)
        if order is not None:
            return order
        still_open = await self._orders.fetch_open_orders(symbol)
        return next((each for each in still_open if each.client_order_id == client_order_id), None)

    def _count_unknown(self, by: int) -> None:
        self._unknown += by
        self._health.gauge("unknown", self._unknown)


async def order_of_own_trades(
    orders: OrderQueries, payload: CreatePayload, client_order_id: str, since_ms: int
) -> Order | None:
    """Return the order under our id, found by the trades that it made; None if none of their orders is ours.

    KuCoin finds an order by our id only while it is open: a filled one shows by its trades alone.
    """
    trades = await orders.fetch_my_trades(payload.symbol, since_ms)
    for order_id in dict.fromkeys(trade.order for trade in trades if trade.order and trade.side == payload.side):
        order = await orders.fetch_order(payload.symbol, order_id=order_id)
        if order is not None and order.client_order_id == client_order_id:
            return order
    return None
