"""Consumes one tenant's requests: carries out halts, answers what no account can, and routes the rest to accounts."""

import asyncio
from functools import partial

from millrace_bus import Arrived, Bus, CommandRefused, RequestReader
from millrace_core.clock import now_ms
from millrace_core.halts import HaltNote, HaltScope
from millrace_core.messages import RequestError, Response
from millrace_core.names import AgentId, ExchangeId, Tenant
from millrace_core.requests import Halt, Resume
from millrace_executor.accepted_request import EVERY_EXCHANGE, AcceptedRequest, Acknowledge, MalformedArrival, read
from millrace_executor.answering.answer_streams import AnswerStreams
from millrace_executor.answering.intent_ledger import Intent, IntentLedger, intent_of, intent_of_malformed
from millrace_executor.answering.responder import Responder
from millrace_executor.intake.halt_database import HaltDatabase
from millrace_executor.intake.router import RequestRouter
from millrace_executor.intake.tenant_halts import TenantHalts
from millrace_executor.refused_writes import RefusedWrites
from millrace_executor.request_tasks import DRAIN_S, RequestTasks
from millrace_executor.trading_controls import TradingControls
from millrace_service import UnitHealthReporter

HALTS_EVERY_S = 1.0
"""How often halts that other programs wrote are read; a request to halt works at once."""


class RequestConsumer:
    """One tenant's requests. It keeps those that it answers itself in a ledger of the exchange `all`."""

    def __init__(
        self,
        tenant: Tenant,
        consumer: AgentId,
        *,
        bus: Bus,
        streams: AnswerStreams,
        database: HaltDatabase,
        controls: TradingControls,
        router: RequestRouter,
        health: UnitHealthReporter,
    ) -> None:
        self._tenant = tenant
        self._consumer = consumer
        self._bus = bus
        self._router = router
        self._health = health
        self._writes = RefusedWrites(health)
        self._ledger = IntentLedger(bus.intents, tenant, EVERY_EXCHANGE, self._writes)
        self._responder = Responder(
            tenant,
            EVERY_EXCHANGE,
            bus=bus,
            streams=streams,
            ledger=self._ledger,
            health=health,
            writes=self._writes,
        )
        self._tasks = RequestTasks()
        self._controls = controls
        self._halts = TenantHalts(tenant, bus.halts, database, controls, health)

    async def run(self) -> None:
        """Consume requests until cancelled."""
        await self._recover()
        await self._halts.begin()
        reader = self._bus.request_reader([self._tenant], consumer=self._consumer)
        try:
            await self._tasks.run_beside(self._read(reader), self._follow_halts(), self._halts.keep_stored())
        finally:
            await reader.close()
            await self._tasks.drain(DRAIN_S)

    async def _read(self, reader: RequestReader) -> None:
        async for arrived in reader:
            await self._receive(arrived, partial(self._writes.until_taken, partial(reader.done, arrived)))

    async def _receive(self, arrived: Arrived, acknowledge: Acknowledge) -> None:
        self._health.count("requests")
        accepted = read(arrived, acknowledge, self._reject_unrouted)
        if isinstance(accepted, MalformedArrival):
            self._health.count("malformed")
            intent = intent_of_malformed(accepted, self._router.known_part(accepted.answer_to), now_ms())
            self._tasks.start(self._answer(intent, accepted.answer, acknowledge))
        elif self._ledger.knows(accepted.request_id):
            await acknowledge()
        elif isinstance(accepted.request, Halt):
            # In force before the next request is read; its answer waits for Redis and the database.
            self._halt(accepted.request)
            self._tasks.start(self._answer_halt(accepted))
        elif isinstance(accepted.request, Resume):
            answer = await self._resume(accepted, accepted.request)
            self._tasks.start(self._answer(intent_of(accepted, now_ms(), verdict=answer), answer, acknowledge))
        else:
            self._router.route(accepted)

    def _halt(self, request: Halt) -> None:
        # However late it comes: to stop is safe.
        note = HaltNote(since=now_ms(), reason=request.payload.reason, by=request.payload.by)
        self._halts.halt(_scope_of(request), note)

    async def _answer_halt(self, accepted: AcceptedRequest) -> None:
        error = None
        if (refusal := await self._halts.write()) is not None:
            text = f"in force in this executor, and will be written everywhere as soon as possible: {refusal}"
            error = RequestError("NotWritten", text)
            self._health.error(f"a halt is {text}")
        answer = Response(accepted.request_id, "done", order_source=accepted.source, error=error)
        await self._answer(intent_of(accepted, now_ms(), verdict=answer), answer, accepted.acknowledge)

    async def _resume(self, accepted: AcceptedRequest, request: Resume) -> Response:
        if now_ms() > accepted.valid_until_ms:
            return accepted.error_answer("expired", "Expired", "the request expired; halts stay as they are")
        scope = _scope_of(request)
        try:
            if await self._halts.resume(scope):
                return Response(accepted.request_id, "done", order_source=accepted.source)
        except CommandRefused as refused:
            return accepted.error_answer("failed", "NotWritten", f"halts stay as they are: Redis refuses: {refused}")
        halted = self._controls.doubt or ", ".join(map(str, self._controls.halts.halts)) or "nothing"
        reason = f"{scope} is not halted; halted (exchange/source): {halted}"
        return accepted.error_answer("rejected", "BadRequest", reason)

    def _reject_unrouted(self, accepted: AcceptedRequest, reason: str) -> None:
        answer = accepted.error_answer("rejected", "BadRequest", reason)
        self._tasks.start(self._answer(intent_of(accepted, now_ms(), verdict=answer), answer, accepted.acknowledge))

    async def _answer(self, intent: Intent, answer: Response, acknowledge: Acknowledge) -> None:
        if await self._ledger.claim(intent):
            await self._responder.finish(intent, answer, intent.trace)
        await acknowledge()

    async def _recover(self) -> None:
        """Publish the answers that were decided but perhaps not published when the executor last ended."""
        for intent in await self._responder.unanswered():
            if intent.verdict is not None:
                await self._responder.finish(intent, intent.verdict, intent.trace)

    async def _follow_halts(self) -> None:
        while True:
            await asyncio.sleep(HALTS_EVERY_S)
            await self._halts.read()
            await self._ledger.prune(now_ms())


def _scope_of(request: Halt | Resume) -> HaltScope:
    exchange = ExchangeId(request.exchange_id) if request.exchange_id else None
    return HaltScope(exchange, request.payload.order_source)
