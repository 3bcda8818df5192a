"""Consumes one tenant's requests: carries out halts, answers what no account can, and routes the rest to accounts."""

import asyncio
from functools import partial

from millrace_bus import Arrived, Bus, CommandRefused, HaltNote, HaltScope, RequestReader
from millrace_core.clock import now_ms
from millrace_core.messages import Response
from millrace_core.names import AgentId, ExchangeId, Tenant
from millrace_core.requests import Halt, Resume
from millrace_executor.accepted_request import EVERY_EXCHANGE, AcceptedRequest, Acknowledge, MalformedArrival, read
from millrace_executor.answering.answer_streams import AnswerStreams
from millrace_executor.answering.intent_ledger import Intent, IntentLedger, intent_of, intent_of_malformed
from millrace_executor.answering.responder import Responder
from millrace_executor.intake.router import RequestRouter
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
        controls: TradingControls,
        router: RequestRouter,
        health: UnitHealthReporter,
    ) -> None:
        self._tenant = tenant
        self._consumer = consumer
        self._bus = bus
        self._controls = controls
        self._router = router
        self._health = health
        self._ledger = IntentLedger(bus.intents, tenant, EVERY_EXCHANGE)
        self._responder = Responder(
            tenant, EVERY_EXCHANGE, bus=bus, streams=streams, ledger=self._ledger, health=health
        )
        self._tasks = RequestTasks()
        self._reading_halts = asyncio.Lock()

    async def run(self) -> None:
        """Consume requests until cancelled."""
        await self._recover()
        await self._read_halts()
        reader = self._bus.request_reader([self._tenant], consumer=self._consumer)
        try:
            self._health.state("live")
            await self._tasks.run_beside(self._read(reader), self._follow_halts())
        finally:
            await reader.close()
            await self._tasks.drain(DRAIN_S)

    async def _read(self, reader: RequestReader) -> None:
        async for arrived in reader:
            await self._receive(arrived, partial(reader.done, arrived))

    async def _receive(self, arrived: Arrived, acknowledge: Acknowledge) -> None:
        self._health.count("requests")
        accepted = read(arrived, acknowledge, self._reject_unrouted)
        if isinstance(accepted, MalformedArrival):
            self._health.count("malformed")
            intent = intent_of_malformed(accepted, self._router.known_part(accepted.answer_to), now_ms())
            self._tasks.start(self._answer(intent, accepted.answer, acknowledge))
        elif self._ledger.knows(accepted.request_id):
            await acknowledge()
        elif isinstance(accepted.request, Halt | Resume):
            # Not beside the others: what comes after a halt must find it in force.
            answer = await self._carry_out(accepted, accepted.request)
            await self._answer(intent_of(accepted, now_ms(), verdict=answer), answer, acknowledge)
        else:
            self._router.route(accepted)

    async def _carry_out(self, accepted: AcceptedRequest, request: Halt | Resume) -> Response:
        exchange = ExchangeId(request.exchange_id) if request.exchange_id else None
        scope = HaltScope(exchange, request.payload.order_source)
        if isinstance(request, Halt):
            # However late it comes: to stop is safe.
            note = HaltNote(since=now_ms(), reason=request.payload.reason, by=request.payload.by)
            self._controls.halt(scope, note)
            await self._write_halts()
        elif now_ms() > accepted.valid_until_ms:
            return accepted.error_answer("expired", "Expired", "the request expired; halts stay as they are")
        elif not (await self._bus.halts.clear(self._tenant, scope) | self._controls.forget_halt(scope)):
            halted = ", ".join(map(str, await self._bus.halts.get(self._tenant))) or "nothing"
            reason = f"{scope} is not halted; halted (exchange/source): {halted}"
            return accepted.error_answer("rejected", "BadRequest", reason)
        await self._read_halts()
        return Response(accepted.request_id, "done", order_source=accepted.source)

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

    async def _write_halts(self) -> None:
        """Write the halts that Redis does not hold yet; they are in force before, and if it refuses to write."""
        try:
            for scope, note in self._controls.unwritten_halts():
                await self._bus.halts.set(self._tenant, scope, note)
                self._controls.halt_written(scope)
        except CommandRefused as refused:
            self._health.error(f"a halt is in force but cannot be written: {refused}")

    async def _follow_halts(self) -> None:
        while True:
            await asyncio.sleep(HALTS_EVERY_S)
            await self._write_halts()
            await self._read_halts()
            await self._ledger.prune(now_ms())

    async def _read_halts(self) -> None:
        # One reading at a time: an older reply must not undo what a newer one said.
        async with self._reading_halts:
            self._controls.set_halts(await self._bus.halts.get(self._tenant))
