"""Execution: one request at the exchange, from its intent in the ledger to its final answer.

What the exchange's answer means decides everything: done, refused, certainly not done and worth another try
while valid, or unknown, and then it is asked about until that is settled.
"""

from asyncio import sleep
from collections.abc import Callable

import structlog
from msgspec.structs import replace

from millrace_core.clock import now_ms
from millrace_core.ids import RequestId
from millrace_core.messages import Response
from millrace_core.orders import Order
from millrace_core.requests import CreateOrder, EditOrder, symbol_of
from millrace_core.trace import Trace
from millrace_exchange import Exchange, ExchangeError, Fatal, OutcomeUnknown, Rejected, Retryable
from millrace_executor.answering import Answering
from millrace_executor.desks import Job
from millrace_executor.intake import order_source, refusal
from millrace_executor.intents import Intent
from millrace_executor.resolution import Resolver
from millrace_executor.sending import Sendable, Sender, Sent
from millrace_executor.sequence import Sequence, Turn
from millrace_service import UnitHealthReporter

OUR_HOPS = ("accepted", "sent", "acknowledged")
"""The hops that end in the executor: their latencies are its own."""

SHORTEST_PAUSE_MS = 250
"""Before what was not done is tried again, also where the exchange would take it at once."""

log = structlog.get_logger()


class Execution:
    """Carries out one account's requests."""

    def __init__(
        self, exchange: Exchange, sequence: Sequence, answering: Answering, health: UnitHealthReporter
    ) -> None:
        self.trouble: str | None = None
        """Why the account cannot trade any more, once the exchange said so."""
        self._sender = Sender(exchange.account, sequence)
        self._resolver = Resolver(exchange, self._met)
        self._sequence = sequence
        self._answering = answering
        self._health = health
        self._unknown = 0

    async def execute(
        self, job: Job, intent: Intent, what: Sendable, turn: Turn, stopped: Callable[[Job], Response | None]
    ) -> None:
        """Send it and answer it. `stopped` says before each try whether it must not be sent any more."""
        our_id = intent.client_order_id or ""
        trace = intent.trace
        # Asked again although it was asked before the claim: that may have waited out an outage of Redis.
        while (answer := stopped(job)) is None:
            try:
                sent = await self._sender.send(what, our_id, turn)
            except Retryable as error:
                answer = await self._before_another_try(job, error)
            except Rejected as error:
                answer = job.work.refuse("rejected", error.kind, error.reason)
            except Fatal as error:
                self._stop(error)
                answer = job.work.refuse("failed", error.kind, str(error))
            except OutcomeUnknown as error:
                answer = await self._settle(job, intent, error)
            else:
                trace = trace.at(sent=sent.sent_ns, acknowledged=sent.acknowledged_ns)
                answer = _done(job, sent, our_id)
            if answer is not None:
                break
        await self.finish(job.work.request_id, intent, answer, turn, trace)

    async def finish(self, request_id: RequestId, intent: Intent, answer: Response, turn: Turn, trace: Trace) -> None:
        """Return the final answer, and let those learn of the order that wait for it."""
        if answer.order is not None and isinstance(intent.request, CreateOrder | EditOrder):
            turn.order = answer.order
            self._sequence.same(intent.client_order_id or "", answer.order.id)
        await self._answering.finally_(request_id, intent, answer, trace)
        self._health.count(answer.status)
        for hop, ns in trace.latencies().items():
            if hop.endswith(OUR_HOPS):
                self._health.latency(hop, ns)

    async def settle_unknown(self, request_id: RequestId, intent: Intent) -> Response:
        """Ask the exchange about a request, whose intent is marked unknown, until its outcome is proven."""
        if intent.request is None or intent.sent_by is None:
            raise AssertionError("an intent that is unknown says what was sent, and when at the latest")
        self._count_unknown(1)
        try:
            answer = await self._resolver.resolve(
                request_id, intent.request, intent.client_order_id or "", intent.sent_by
            )
        finally:
            self._count_unknown(-1)
        log.info("the outcome of a request is known now", request_id=request_id, status=answer.status)
        return answer

    async def ask_once(self, request_id: RequestId, intent: Intent) -> Response | None:
        """Ask once about what was pending when the executor last ended; None where that proves nothing yet."""
        if intent.request is None:
            return intent.verdict
        try:
            return await self._resolver.ask_once(
                request_id, intent.request, intent.client_order_id or "", intent.sent_by or now_ms()
            )
        except ExchangeError as error:
            self._met(error)
            return None

    async def mark_unknown(self, request_id: RequestId, intent: Intent, kind: str, message: str) -> Intent:
        """Answer that nobody knows; give the intent as the ledger then holds it."""
        source = None if intent.request is None else order_source(intent.request)
        provisional = refusal(request_id, "unknown", kind, message, source)
        log.warning("the outcome of a request is unknown; the exchange is asked", request_id=request_id, cause=message)
        return await self._answering.provisionally(request_id, intent, provisional, intent.trace)

    async def _settle(self, job: Job, intent: Intent, error: OutcomeUnknown) -> Response:
        self._met(error)
        unknown = await self.mark_unknown(job.work.request_id, intent, error.kind, str(error))
        return await self.settle_unknown(job.work.request_id, unknown)

    async def _before_another_try(self, job: Job, error: Retryable) -> Response | None:
        self._met(error)
        pause_ms = max(error.retry_after_ms, SHORTEST_PAUSE_MS)
        if now_ms() + pause_ms > job.work.valid_until_ms:
            return job.work.refuse("failed", error.kind, str(error))
        await sleep(pause_ms / 1000)
        return None

    def _stop(self, error: Fatal) -> None:
        self._met(error)
        if self.trouble is None:
            log.error("the account cannot trade any more; new orders are rejected", cause=str(error))
        self.trouble = str(error)
        self._health.state("failed", self.trouble)

    def _met(self, error: ExchangeError) -> None:
        self._health.error(f"{error.action}: {error.kind}: {error}")

    def _count_unknown(self, by: int) -> None:
        self._unknown += by
        self._health.gauge("unknown", self._unknown)


def _done(job: Job, sent: Sent, our_id: str) -> Response:
    order = None if sent.order is None else _named(sent.order, job, our_id)
    return Response(job.work.request_id, "done", order=order, order_source=job.work.source, orders=sent.orders)


def _named(order: Order, job: Job, our_id: str) -> Order:
    """Fill in what some exchanges leave out of an acknowledgement."""
    created = isinstance(job.work.request, CreateOrder)
    return replace(
        order,
        symbol=order.symbol or symbol_of(job.work.request),
        client_order_id=order.client_order_id or (our_id if created else None),
    )
