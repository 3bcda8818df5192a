"""Consumes one tenant's requests: carries out halts, answers what no account can, and routes the rest to accounts."""

import asyncio
from functools import partial

import structlog

from millrace_bus import Arrived, Bus, CommandRefused, RequestReader, TaskFailed
from millrace_core.clock import now_ms
from millrace_core.halts import HaltNote, HaltScope
from millrace_core.ids import RequestId, derived_request_id
from millrace_core.messages import RequestError, Response
from millrace_core.names import ExchangeId
from millrace_core.requests import CancelAllOrders, CancelAllPayload, Halt, Resume
from millrace_exchange import exchange_exists
from millrace_executor.accepted_request import (
    EVERY_EXCHANGE,
    AcceptedRequest,
    Acknowledge,
    MalformedArrival,
    read,
    unhandled,
)
from millrace_executor.answering.answer_streams import AnswerStreams
from millrace_executor.answering.copies import report_copy
from millrace_executor.answering.intent_ledger import IntentLedger
from millrace_executor.answering.intents import KEPT_UNDATED_MS, Intent, intent_of, intent_of_malformed
from millrace_executor.answering.responder import Responder
from millrace_executor.intake.executor_database import ExecutorDatabase
from millrace_executor.intake.lost_data import LostData
from millrace_executor.intake.router import RequestRouter
from millrace_executor.intake.tenant_halts import TenantHalts
from millrace_executor.lease.tenure import LeaseLost, Tenure
from millrace_executor.refused_writes import RefusedWrites
from millrace_executor.request_tasks import DRAIN_S, RequestTasks
from millrace_executor.trading_controls import TradingControls
from millrace_service import UnitHealthReporter

CANCEL_VALID_MS = 60_000
"""How long the orders that a halt is to cancel may take to be canceled: an exchange may be away, or want a pause."""
HALTS_EVERY_S = 1.0
"""How often halts that other programs wrote are read; a request to halt works at once."""
FULL_SHARE = 0.5
"""How far the journal may fill with requests that are not acknowledged before that is reported."""

NOT_REPEATED = (
    "an executor ended while it had this in hand, and no resume is carried out twice: what is halted stays so; if that "
    "is still to be resumed, send it anew"
)

log = structlog.get_logger()


class RequestConsumer:
    """One tenant's requests, while the lease is held. It keeps halts, and what names no exchange, in its own ledger."""

    def __init__(
        self,
        tenure: Tenure,
        consumer: str,
        *,
        bus: Bus,
        streams: AnswerStreams,
        database: ExecutorDatabase,
        controls: TradingControls,
        router: RequestRouter,
        health: UnitHealthReporter,
    ) -> None:
        self._tenure = tenure
        self._tenant = tenure.fence.tenant
        self._consumer = consumer
        self._bus = bus
        self._streams = streams
        self._router = router
        self._health = health
        self._writes = RefusedWrites(health)
        self._ledger = IntentLedger(bus.intents, tenure, EVERY_EXCHANGE, self._writes)
        self._responder = self._responder_of(EVERY_EXCHANGE, self._ledger)
        self._tasks = RequestTasks()
        self._controls = controls
        self._halts = TenantHalts(self._tenant, bus.halts, database, controls, health)
        accounts = partial(router.exchanges_of, self._tenant)
        self._lost_data = LostData(
            tenure, bus.leases, self._halts, controls, accounts, self._restore_ledgers, health, self._writes
        )
        self._is_filling = False
        self._unclaimed_resumes: set[RequestId] = set()
        """Resumes that Redis refused to write down, and that are answered as such."""
        self._in_place: set[RequestId] = set()
        """Requests that are being answered in place of their account at the moment."""

    async def run(self) -> None:
        """Consume requests until cancelled, or until the lease is lost."""
        await self._recover()
        await self._halts.begin()
        await self._lost_data.check()
        reader = self._bus.request_reader(self._tenant, consumer=self._consumer, may_act=self._tenure.assure)
        try:
            await self._tasks.run_beside(
                self._read(reader),
                self._follow(reader),
                self._restore(),
                self._halts.keep_stored(),
                self._tenure.until_lost(),
            )
        except TaskFailed:
            # What was typed by hand is not written down once the lease is lost; that ends the reading.
            self._tenure.check()
            raise
        finally:
            await reader.close()
            await self._tasks.drain(0.0 if self._tenure.is_lost else DRAIN_S)

    async def _read(self, reader: RequestReader) -> None:
        async for arrived in reader:
            acknowledge = partial(self._writes.until_taken, partial(reader.done, arrived))
            try:
                await self._receive(arrived, acknowledge)
            except LeaseLost:
                raise
            except Exception as error:  # noqa: BLE001  What one request holds must not end the others'.
                await self._give_up(reader, arrived, error)
                await self._answer_malformed(unhandled(arrived, error), acknowledge)

    async def _receive(self, arrived: Arrived, acknowledge: Acknowledge) -> None:
        self._health.count("requests")
        accepted = read(arrived, acknowledge, self._answer_unrouted)
        if isinstance(accepted, MalformedArrival):
            self._health.count("malformed")
            self._tasks.start(self._answer_malformed(accepted, acknowledge))
        elif self._ledger.knows(accepted.request_id):
            await report_copy(self._ledger, self._health, accepted.request_id, accepted.answer_to)
            await acknowledge()
        elif isinstance(accepted.request, Halt):
            # In force before the next request is read; its answer waits for Redis and the database.
            self._halt(accepted.request)
            self._tasks.start(self._answer_halt(accepted))
        elif isinstance(accepted.request, Resume):
            await self._receive_resume(accepted, accepted.request, was_taken=arrived.was_taken)
        else:
            self._router.route(accepted)

    def _halt(self, request: Halt) -> None:
        # However late it comes: to stop is safe.
        note = HaltNote(since=now_ms(), reason=request.payload.reason, by=request.payload.by)
        self._halts.halt(_scope_of(request), note)

    async def _answer_halt(self, accepted: AcceptedRequest) -> None:
        error = self._doubt_about_scope(accepted)
        if (refusal := await self._halts.write()) is not None:
            text = f"in force in this executor, and will be written everywhere as soon as possible: {refusal}"
            error = RequestError("NotWritten", text)
            self._health.error(f"a halt is {text}")
        if isinstance(accepted.request, Halt) and accepted.request.payload.cancel_orders:
            error = await self._cancel_open(accepted) or error
        answer = Response(accepted.request_id, "done", order_source=accepted.source, error=error)
        await self._answer_verdict(accepted, answer)

    def _doubt_about_scope(self, halt: AcceptedRequest) -> RequestError | None:
        """Return what to know of a halt of an exchange on which there is no account: perhaps it is misspelt."""
        named, accounts = halt.request.exchange_id, self._router.exchanges_of(self._tenant)
        if named is None or self._router.known_part(halt.answer_to).exchange == named:
            return None
        text = f"in force, and {self._tenant} has no account on {named}: it trades on {', '.join(accounts) or 'none'}"
        return RequestError("BadRequest", text)

    async def _cancel_open(self, halt: AcceptedRequest) -> RequestError | None:
        """Request that all open orders of the accounts that a halt concerns are canceled; return why not, or None."""
        named = halt.request.exchange_id
        exchanges = self._router.exchanges_of(self._tenant) if named is None else [ExchangeId(named)]
        requests = [cancel_all_of(halt, exchange) for exchange in exchanges]
        results = await asyncio.gather(
            *(self._bus.requests.send(self._tenant, each) for each in requests), return_exceptions=True
        )
        failures = [error for error in results if isinstance(error, BaseException)]
        if not failures:
            return None
        self._health.error(f"open orders are not canceled by a halt: {failures[0]}")
        return RequestError("NotWritten", f"trading is halted; cancel the open orders by hand: {failures[0]}")

    async def _receive_resume(self, accepted: AcceptedRequest, request: Resume, *, was_taken: bool) -> None:
        """Lift a halt before the next request is read; never a second time, which might lift a later one."""
        if accepted.request_id in self._unclaimed_resumes:
            await accepted.acknowledge()
            return
        if now_ms() > accepted.valid_until_ms:
            answer = accepted.error_answer("expired", "Expired", "the request expired; halts stay as they are")
            self._tasks.start(self._answer_verdict(accepted, answer))
            return
        answer = accepted.error_answer("failed", "InternalError", NOT_REPEATED)
        intent = self._intent_of(accepted, answer)
        try:
            is_new = await self._ledger.claim(intent, waits=False)
        except CommandRefused as refused:
            self._unclaimed_resumes.add(accepted.request_id)
            answer = accepted.error_answer("failed", "NotWritten", f"halts stay as they are: Redis refuses: {refused}")
            self._tasks.start(self._answer_verdict(accepted, answer))
            return
        if is_new and not was_taken:
            answer = await self._resume(accepted, request)
        self._tasks.start(self._finish_resume(accepted, intent if is_new else None, answer))

    async def _finish_resume(self, accepted: AcceptedRequest, intent: Intent | None, answer: Response) -> None:
        if intent is not None:
            await self._responder.finish(intent, answer, intent.trace)
        await accepted.acknowledge()

    async def _resume(self, accepted: AcceptedRequest, request: Resume) -> Response:
        scope = _scope_of(request)
        try:
            if await self._halts.resume(scope):
                return Response(accepted.request_id, "done", order_source=accepted.source)
        except CommandRefused as refused:
            return accepted.error_answer("failed", "NotWritten", f"halts stay as they are: Redis refuses: {refused}")
        halted = self._controls.doubt or ", ".join(map(str, self._controls.halts.halts)) or "nothing"
        reason = f"{scope} is not halted; halted (exchange/source): {halted}"
        return accepted.error_answer("rejected", "BadRequest", reason)

    async def _give_up(self, reader: RequestReader, arrived: Arrived, error: Exception) -> None:
        log.error("a request cannot be handled; it is set aside", entry=arrived.origin, exc_info=error)
        self._health.error(error)
        await self._writes.until_taken(lambda: reader.set_aside(arrived, repr(error)))

    async def _answer_malformed(self, malformed: MalformedArrival, acknowledge: Acknowledge) -> None:
        intent = intent_of_malformed(malformed, self._router.known_part(malformed.answer_to), now_ms())
        await self._answer_in_ledger(malformed.answer_to.exchange, intent, malformed.answer)
        await acknowledge()

    def _answer_unrouted(self, accepted: AcceptedRequest, answer: Response) -> None:
        self._tasks.start(self._answer_for_account(accepted, answer))

    async def _answer_for_account(self, accepted: AcceptedRequest, answer: Response) -> None:
        await self._answer_in_ledger(accepted.account.exchange, self._intent_of(accepted, answer), answer)
        await accepted.acknowledge()

    async def _answer_in_ledger(self, exchange: ExchangeId, intent: Intent, answer: Response) -> None:
        """Answer in the ledger of the account, which knows whether it answered a request of this id already.

        An exchange that does not exist has none: a sender may invent any number of them.
        """
        if not exchange_exists(exchange):
            await self._answer_once(intent, answer)
            return
        ledger, request_id, answering = self._ledger_of(exchange), intent.request_id, self._tenure.answering
        if request_id in self._in_place:
            return
        if ledger.knows(request_id) and request_id not in answering:
            # The account settles it.
            await report_copy(ledger, self._health, request_id, intent.stream, is_malformed=intent.is_malformed)
            return
        self._in_place.add(request_id)
        try:
            answering.add(request_id)
            await self._answer_in_place(self._responder_of(exchange, ledger), ledger, intent, answer)
            # If it was not answered, the consumer that reads it again does that, and the account never.
            answering.discard(request_id)
        finally:
            self._in_place.discard(request_id)

    async def _answer_in_place(
        self, responder: Responder, ledger: IntentLedger, intent: Intent, answer: Response
    ) -> None:
        """Answer in place of an account, unless that has a request of this id."""
        request_id = intent.request_id
        if await ledger.claim(intent):
            await responder.finish(intent, answer, intent.trace)
            return
        # One that was claimed and not answered is what an executor left that ended in between.
        left = await responder.unanswered(await ledger.left(request_id))
        for each in left:
            await responder.finish(each, each.verdict or answer, each.trace)
        if not left:
            await report_copy(ledger, self._health, request_id, intent.stream, is_malformed=intent.is_malformed)

    def _ledger_of(self, exchange: ExchangeId) -> IntentLedger:
        """Return the ledger of an account; of one that is not at work, nobody prunes what is remembered of it."""
        expires_ms = 0 if exchange in self._tenure.ledgers() else KEPT_UNDATED_MS
        return IntentLedger(self._bus.intents, self._tenure, exchange, self._writes, expires_ms=expires_ms)

    async def _answer_verdict(self, accepted: AcceptedRequest, answer: Response) -> None:
        await self._answer_once(self._intent_of(accepted, answer), answer)
        await accepted.acknowledge()

    async def _answer_once(self, intent: Intent, answer: Response) -> None:
        if await self._ledger.claim(intent):
            await self._responder.finish(intent, answer, intent.trace)

    def _intent_of(self, accepted: AcceptedRequest, answer: Response) -> Intent:
        """Return the intent to answer a request that no account takes."""
        name = accepted.answer_to
        answer_to = name if name.exchange == EVERY_EXCHANGE else self._router.known_part(name)
        return intent_of(accepted, now_ms(), answer_to=answer_to, verdict=answer)

    async def _recover(self) -> None:
        """Publish the answers that were decided but perhaps not published when the last executor ended."""
        for intent in await self._responder.unanswered(await self._ledger.load()):
            if intent.verdict is not None:
                await self._responder.finish(intent, intent.verdict, intent.trace)

    async def _follow(self, reader: RequestReader) -> None:
        while True:
            await asyncio.sleep(HALTS_EVERY_S)
            await self._halts.read()
            await self._lost_data.check()
            await self._ledger.prune(now_ms())
            await self._watch_backlog(reader)

    async def _restore(self) -> None:
        """Write the ledgers again whenever Redis loses its data, until cancelled."""
        while True:
            while self._outdated():
                await self._lost_data.check()
                # While the database does not answer, the check leaves them as they are.
                await self._restore_ledgers()
            await self._tenure.reborn()

    async def _restore_ledgers(self) -> None:
        for ledger in self._outdated():
            await ledger.restore()

    def _outdated(self) -> list[IntentLedger]:
        """Return the ledgers that Redis has lost since, also of accounts whose unit does not run at the moment."""
        ledgers = (IntentLedger(self._bus.intents, self._tenure, each, self._writes) for each in self._tenure.ledgers())
        return [ledger for ledger in ledgers if ledger.is_outdated]

    async def _watch_backlog(self, reader: RequestReader) -> None:
        """Show how many requests wait; the unit is `stale` while there will soon be no room for more."""
        unfinished, capacity = await reader.backlog()
        self._health.gauge("backlog", unfinished)
        is_filling = unfinished >= capacity * FULL_SHARE
        if is_filling and not self._is_filling:
            text = f"{unfinished} of {self._tenant}'s requests wait; at {capacity} further ones are refused"
            log.error(text)
            self._health.error(text)
            self._health.state("stale", text)
        elif self._is_filling and not is_filling and self._health.current_state == "stale":
            self._health.state("live")
        self._is_filling = is_filling

    def _responder_of(self, exchange: ExchangeId, ledger: IntentLedger) -> Responder:
        return Responder(
            self._tenure,
            exchange,
            bus=self._bus,
            streams=self._streams,
            ledger=ledger,
            health=self._health,
            writes=self._writes,
        )


def cancel_all_of(halt: AcceptedRequest, exchange: ExchangeId) -> CancelAllOrders:
    """Return the request to cancel an account's orders that a halt causes: the same each time the halt is delivered."""
    request_id = derived_request_id(f"{halt.request_id} {exchange}")
    payload = CancelAllPayload(order_source=halt.request.payload.order_source or "halt")
    return CancelAllOrders(exchange_id=exchange, request_id=request_id, valid_for=CANCEL_VALID_MS, payload=payload)


def _scope_of(request: Halt | Resume) -> HaltScope:
    exchange = ExchangeId(request.exchange_id) if request.exchange_id else None
    return HaltScope(exchange, request.payload.order_source)
