"""Sends requests to the exchange (nothing else does) and turns the results into final answers.

The classified answer decides: done; rejected; not done, retried while the request is valid; or unknown, resolved by
asking.
"""

from asyncio import sleep
from collections.abc import Callable, Iterable, Sequence

import structlog
from msgspec.structs import replace

from millrace_core.backoff import Backoff, BackoffPolicy
from millrace_core.clock import now_ms
from millrace_core.messages import Response
from millrace_core.orders import Order
from millrace_core.requests import (
    CancelAllOrders,
    CancelOrder,
    CancelPayload,
    CreateOrder,
    EditOrder,
    EditPayload,
    action_of,
    symbol_of,
)
from millrace_exchange import Acknowledgement, ExchangeError, Fatal, OutcomeUnknown, Rejected, Retryable
from millrace_executor.accepted_request import AcceptedRequest
from millrace_executor.answering.intents import Intent
from millrace_executor.answering.responder import Responder
from millrace_executor.execution.leased_execution import LeasedExecution, Stopped
from millrace_executor.intake.order_queue import OrderQueue, Turn
from millrace_executor.resolution.resolver import Resolution, Resolver, Unresolvable
from millrace_executor.risk import Approved
from millrace_service import UnitHealthReporter

Sendable = Approved | CancelOrder | CancelAllOrders
"""The requests that may be sent: orders and edits that risk approved, and any cancel."""

_Orders = dict[tuple[str | None, str], Order]
"""Orders by what tells them apart: some exchanges number those of each symbol."""

TRY_AGAIN = BackoffPolicy(first_s=0.5, limit_s=5.0)
"""Pauses after a failed try, also where the exchange would take the request again at once."""

log = structlog.get_logger()


class OrderSender:
    """Sends one account's requests. `stop_reason` returns the answer to a request that must not be sent any more.

    `on_fatal` learns that the account cannot trade any more.
    """

    def __init__(
        self,
        client: LeasedExecution,
        queue: OrderQueue,
        responder: Responder,
        resolver: Resolver,
        stop_reason: Callable[[AcceptedRequest], Response | None],
        on_fatal: Callable[[Fatal], None],
        health: UnitHealthReporter,
    ) -> None:
        self._client = client
        self._queue = queue
        self._responder = responder
        self._resolver = resolver
        self._stop_reason = stop_reason
        self._on_fatal = on_fatal
        self._health = health

    async def execute(self, accepted: AcceptedRequest, intent: Intent, what: Sendable, turn: Turn) -> Response | None:
        """Send a request whose intent is claimed, try again while that is safe, and answer it.

        Return the final answer; None if the exchange does not say what became of it.
        """
        trace, backoff, is_refused = intent.trace, None, False
        seen: Sequence[Order] = ()
        canceled: _Orders = {}
        answer = self._stop_reason(accepted)  # Again: the claim may have waited out an outage of Redis.
        while answer is None:
            try:
                acknowledgement = await self._send(what, intent.client_order_id or "", turn, accepted)
            except Stopped as stopped:
                answer = stopped.answer
            except OutcomeUnknown as error:
                canceled |= _by_symbol_and_id(error.canceled)
                resolution = await self._resolution(error, intent)
                if resolution is None:
                    return None
                answer, seen = resolution
            except ExchangeError as error:
                canceled |= _by_symbol_and_id(error.canceled)
                backoff = backoff or Backoff(TRY_AGAIN)  # Only now: making one takes time on the way of every order.
                answer = await self._after(error, accepted, backoff) or self._stop_reason(accepted)
                is_refused = isinstance(error, Rejected)
            else:
                trace = trace.at(sent=acknowledgement.sent_ns, acknowledged=acknowledgement.acknowledged_ns)
                answer, seen = _done(accepted, acknowledgement, intent.client_order_id), acknowledgement.ended
        answer = _with_canceled(answer, canceled)
        self._queue.answered(turn, answer.order)
        await self._responder.finish(intent, answer, trace, seen)
        if is_refused and isinstance(accepted.request, CancelOrder | EditOrder):
            turn.end()
            await self._look_again(accepted.request.payload)
        return answer

    async def _resolution(self, error: OutcomeUnknown, intent: Intent) -> Resolution | None:
        """Return what became of a request; None if the exchange does not say, which is published."""
        self._resolver.report(error)
        unknown = await self._responder.mark_unknown(intent, error.kind, str(error))
        try:
            return await self._resolver.resolve(unknown)
        except Unresolvable as why:
            await self._responder.mark_unresolved(unknown, why.kind, str(why))
            return None

    async def _look_again(self, payload: CancelPayload | EditPayload) -> None:
        """Write how an order stands that could not be canceled or edited: mostly it has ended, and nobody saw it."""
        if payload.order_id and await self._responder.is_known_to_have_ended(payload.symbol, payload.order_id):
            return
        order = await self._resolver.order_named(payload)
        if order is not None:
            await self._responder.merge([order])

    async def _after(self, error: ExchangeError, accepted: AcceptedRequest, backoff: Backoff) -> Response | None:
        """Return the final answer for an error, or None once the request may be sent again."""
        match error:
            case Rejected():
                return accepted.error_answer("rejected", error.kind, error.reason)
            case Fatal():
                self._resolver.report(error)
                self._on_fatal(error)
                return accepted.error_answer("failed", error.kind, str(error))
            case Retryable():
                self._resolver.report(error)
                pause_s = backoff.failed(at_least_s=error.retry_after_s)
                if now_ms() + pause_s * 1000 > accepted.valid_until_ms:
                    return accepted.error_answer("failed", error.kind, str(error))
                await sleep(pause_s)
                return None
        raise error

    async def _send(
        self, what: Sendable, client_order_id: str, turn: Turn, accepted: AcceptedRequest
    ) -> Acknowledgement:
        """Send it, once.

        Raises:
            ExchangeError: classified; see `millrace_exchange.errors`.
        """
        if isinstance(what, CancelAllOrders):
            return await self._cancel_all(what, turn, accepted.valid_until_ms)
        if isinstance(what, CancelOrder):
            return await self._client.cancel_order(what.payload)

        def check(is_first: bool) -> None:
            # What an edit has begun is not given up because it took long.
            answer = self._stop_reason(accepted)
            if answer is not None and (is_first or answer.status != "expired"):
                raise Stopped(answer, accepted.account.exchange, action_of(accepted.request))

        if isinstance(what.request, CreateOrder):
            return await self._client.create_order(what.request.payload, client_order_id, check)
        return await self._client.edit_order(what.request.payload, client_order_id, check)

    async def _cancel_all(self, request: CancelAllOrders, turn: Turn, valid_until_ms: int) -> Acknowledgement:
        """Cancel all open orders now, and those that are still being placed as soon as they exist."""
        under_way = [each for each in turn.sweeps if not each.is_over]
        orders: _Orders = {}
        try:
            canceled = await self._client.cancel_all_orders(request.payload)
        except OutcomeUnknown as error:
            # Whatever became of it: what it did not meet is to be canceled too.
            orders |= _by_symbol_and_id(error.canceled)
            await self._cancel_placed(under_way, orders, valid_until_ms)
            error.canceled = tuple(orders.values())
            raise
        turn.end()
        orders |= _by_symbol_and_id(canceled.orders)
        await self._cancel_placed(under_way, orders, valid_until_ms)
        return canceled._replace(orders=tuple(orders.values()))

    async def _cancel_placed(self, placements: Iterable[Turn], canceled: _Orders, valid_until_ms: int) -> None:
        """Cancel the orders that turns make, once they exist, but for those that were canceled; add them to these."""
        for placement in placements:
            await placement.ended()
            late = placement.order
            if late is None or late.is_final or late.symbol is None or (late.symbol, late.id) in canceled:
                continue
            try:
                canceled |= _by_symbol_and_id(await self._cancel_late(late.symbol, late.id, valid_until_ms))
            except ExchangeError as error:
                error.canceled = tuple(canceled.values())
                raise

    async def _cancel_late(self, symbol: str, order_id: str, valid_until_ms: int) -> Sequence[Order]:
        """Cancel one order, again if need be: all of them once more would include orders that were requested since.

        Raises:
            OutcomeUnknown: it is still open, or may be when the validity ends.
            Fatal: the account cannot trade any more.
        """
        backoff, late = Backoff(TRY_AGAIN), CancelPayload(symbol=symbol, order_id=order_id)
        while True:
            try:
                return (await self._client.cancel_order(late)).orders
            except Rejected as refusal:
                # Mostly it was filled, or canceled with the rest.
                order = await self._resolver.order_named(late)
                if order is not None and not order.is_final:
                    text = f"the order {order_id} is still open: {refusal}"
                    raise OutcomeUnknown(
                        text, exchange=refusal.exchange, action="cancelAllOrders", kind=refusal.kind
                    ) from refusal
                return () if order is None else (order,)
            except (Retryable, OutcomeUnknown) as error:
                self._resolver.report(error)
                pause_s = backoff.failed(at_least_s=error.retry_after_s)
                if now_ms() + pause_s * 1000 > valid_until_ms:
                    text = f"whether the order {order_id} was canceled is not known: {error}"
                    raise OutcomeUnknown(
                        text, exchange=error.exchange, action="cancelAllOrders", kind=error.kind
                    ) from error
                await sleep(pause_s)


def _by_symbol_and_id(orders: Iterable[Order]) -> _Orders:
    return {(order.symbol, order.id): order for order in orders}


def _with_canceled(answer: Response, canceled: _Orders) -> Response:
    """Return the answer to a cancel-all of which a part was done before it failed, or before its last try."""
    if not canceled:
        return answer
    orders = list((canceled | _by_symbol_and_id(answer.orders or ())).values())
    if answer.error is None:
        return replace(answer, orders=orders)
    error = replace(answer.error, message=f"{len(orders)} orders were canceled; {answer.error.message}")
    return replace(answer, status="failed" if answer.status == "expired" else answer.status, error=error, orders=orders)


def _done(accepted: AcceptedRequest, acknowledgement: Acknowledgement, client_order_id: str | None) -> Response:
    done = Response(accepted.request_id, "done", order_source=accepted.source)
    if isinstance(accepted.request, CancelAllOrders):
        return replace(done, orders=list(acknowledgement.orders))
    (order,) = acknowledgement.orders
    return replace(done, order=_completed(order, accepted, client_order_id))


def _completed(order: Order, accepted: AcceptedRequest, client_order_id: str | None) -> Order:
    """Return an order, completed with the fields that some exchanges omit from an acknowledgement."""
    created = isinstance(accepted.request, CreateOrder)
    return replace(
        order,
        symbol=order.symbol or symbol_of(accepted.request),
        client_order_id=order.client_order_id or (client_order_id if created else None),
    )
