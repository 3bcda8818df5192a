"""The reception: reads one tenant's requests, answers what no account can, and hands the rest to the desks."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from millrace_bus import Arrived, Bus, HaltNote, HaltScope, RequestReader
from millrace_core.clock import now_ms
from millrace_core.ids import RequestId
from millrace_core.messages import Response
from millrace_core.names import ExchangeId, Tenant
from millrace_core.requests import Halt, Resume
from millrace_executor.accepted_request import EVERY_EXCHANGE, Unfit, Work, read
from millrace_executor.answering.answer_streams import Answers
from millrace_executor.answering.intent_ledger import Ledger
from millrace_executor.answering.intents import Intent, intent_of, intent_of_unfit, settled
from millrace_executor.answering.responder import Answering
from millrace_executor.controls import Controls
from millrace_executor.intake.router import AccountKey, Desks, Job
from millrace_executor.request_tasks import Running
from millrace_service import UnitHealthReporter

HALTS_EVERY_S = 1.0
"""How often halts that others wrote are read; a request to halt works at once."""
DRAIN_S = 2.0

Done = Callable[[], Awaitable[None]]


class Reception:
    """One tenant's requests; its own answers are kept in the ledger `intents.{tenant}.all`."""

    def __init__(
        self,
        tenant: Tenant,
        consumer: str,
        *,
        bus: Bus,
        answers: Answers,
        controls: Controls,
        desks: Desks,
        health: UnitHealthReporter,
    ) -> None:
        self._tenant = tenant
        self._consumer = consumer
        self._bus = bus
        self._answers = answers
        self._controls = controls
        self._desks = desks
        self._health = health
        self._ledger = Ledger(bus.intents, tenant, EVERY_EXCHANGE)
        self._answering = Answering(bus, answers, self._ledger, tenant, EVERY_EXCHANGE)
        self._running = Running()
        self._reading_halts = asyncio.Lock()

    async def run(self) -> None:
        """Receive until cancelled."""
        await self._recover()
        await self._read_halts()
        reader = self._bus.request_reader([self._tenant], consumer=self._consumer)
        try:
            self._health.state("live")
            await self._running.until_crash(self._read(reader), self._follow_halts())
        finally:
            await reader.close()
            await self._running.drain(DRAIN_S)

    async def _read(self, reader: RequestReader) -> None:
        async for arrived in reader:
            await self._receive(arrived, reader)

    async def _receive(self, arrived: Arrived, reader: RequestReader) -> None:
        self._health.count("requests")
        done = partial(reader.done, arrived)
        work = read(self._tenant, arrived.raw, entry_id=arrived.entry_id, received_ms=arrived.received_ms)
        if isinstance(work, Unfit):
            self._health.count("malformed")
            intent = intent_of_unfit(work, now_ms())
            self._running.start(self._answer(RequestId(work.request_id), intent, work.answer, done))
        elif self._ledger.knows(work.request_id):
            await done()
        elif isinstance(work.request, Halt | Resume):
            # Not beside the others: what comes after a halt must find it in force.
            await self._answer_halt(work, work.request, arrived.received_ns, done)
        else:
            account = AccountKey(self._tenant, work.answer_to.exchange)
            self._desks.route(Job(work, account, arrived.received_ns, done, self._no_account))

    async def _answer_halt(self, work: Work, request: Halt | Resume, accepted_ns: int, done: Done) -> None:
        answer = await self._carry_out(work, request)
        intent = intent_of(work, now_ms(), accepted_ns=accepted_ns, verdict=answer)
        await self._answer(work.request_id, intent, answer, done)

    async def _carry_out(self, work: Work, request: Halt | Resume) -> Response:
        exchange = ExchangeId(request.exchange_id) if request.exchange_id else None
        scope = HaltScope(exchange, request.payload.order_source)
        if isinstance(request, Halt):
            # However late it comes: to stop is what somebody wanted, and safe.
            note = HaltNote(since=now_ms(), reason=request.payload.reason, by=request.payload.by)
            await self._bus.halts.set(self._tenant, scope, note)
        elif now_ms() > work.valid_until_ms:
            return work.refuse("expired", "Expired", "its validity ended; what is halted stays halted")
        elif not await self._bus.halts.clear(self._tenant, scope):
            halted = ", ".join(map(str, await self._bus.halts.get(self._tenant))) or "nothing"
            return work.refuse("rejected", "BadRequest", f"{scope} is not halted; halted (exchange/source): {halted}")
        await self._read_halts()
        return Response(work.request_id, "done", order_source=work.source)

    def _no_account(self, job: Job, reason: str) -> None:
        answer = job.work.refuse("rejected", "BadRequest", reason)
        intent = intent_of(job.work, now_ms(), accepted_ns=job.accepted_ns, verdict=answer)
        self._running.start(self._answer(job.work.request_id, intent, answer, job.done))

    async def _answer(self, request_id: RequestId, intent: Intent, answer: Response, done: Done) -> None:
        if await self._ledger.claim(request_id, intent):
            await self._answering.finally_(request_id, intent, answer, intent.trace)
            self._health.count(answer.status)
        await done()

    async def _recover(self) -> None:
        """Return the answers that were decided and perhaps not given when the executor last ended."""
        for request_id, intent in (await self._ledger.load()).items():
            status = (await self._answers.given(intent.stream)).get(request_id)
            if status is not None:
                await self._ledger.note(request_id, settled(intent, status))
            elif intent.verdict is not None:
                await self._answering.finally_(request_id, intent, intent.verdict, intent.trace)

    async def _follow_halts(self) -> None:
        while True:
            await asyncio.sleep(HALTS_EVERY_S)
            await self._read_halts()
            await self._ledger.prune(now_ms())

    async def _read_halts(self) -> None:
        # One at a time: an older answer must not undo what a newer one said.
        async with self._reading_halts:
            self._controls.set_halts(await self._bus.halts.get(self._tenant))
