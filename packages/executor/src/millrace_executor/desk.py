"""A desk: the trading of one account. It decides about each request and keeps their order.

Requests are carried out beside each other; those that concern the same order one after the other. Nothing is
sent before the intent to do so is in the ledger, and nothing is sent twice.
"""

import asyncio

from millrace_bus import Bus
from millrace_core.clock import now_ms
from millrace_core.messages import Response
from millrace_core.names import Symbol
from millrace_core.orders import Order
from millrace_core.requests import CancelAllOrders, CancelOrder, CreateOrder, EditOrder, EditPayload
from millrace_exchange import Exchange
from millrace_executor.answering import Answering
from millrace_executor.answers import Answers
from millrace_executor.controls import Controls
from millrace_executor.desks import AccountKey, Job
from millrace_executor.execution import Execution
from millrace_executor.intents import intent_of
from millrace_executor.ledger import Ledger
from millrace_executor.recovery import Recovery
from millrace_executor.risk import Refused
from millrace_executor.running import Running
from millrace_executor.sending import Sendable
from millrace_executor.sequence import Sequence, Turn
from millrace_service import UnitHealthReporter


class Desk:
    """One account's trading; made anew whenever the account's configuration changes."""

    def __init__(
        self,
        account: AccountKey,
        exchange: Exchange,
        *,
        bus: Bus,
        answers: Answers,
        controls: Controls,
        health: UnitHealthReporter,
    ) -> None:
        self.ledger = Ledger(bus.intents, account.tenant, account.exchange)
        self.running = Running()
        self._account = account
        self._exchange = exchange
        self._bus = bus
        self._answers = answers
        self._controls = controls
        self._health = health
        self._sequence = Sequence()
        answering = Answering(bus, answers, self.ledger, account.tenant, account.exchange)
        self._execution = Execution(exchange, self._sequence, answering, health)
        self._recovery = Recovery(answers, self.ledger, self._execution, self._sequence, self.running)
        self._ready = asyncio.Event()
        self._unfinished: dict[Job, None] = {}

    def take(self, job: Job) -> None:
        """Carry a request out; jobs of one order keep the order in which they were handed in."""
        self._health.count("requests")
        our_id = self._exchange.profile.client_order_ids.of(job.work.request_id)
        self._unfinished[job] = None
        self.running.start(self._handle(job, our_id, self._sequence.enter(job.work.request, our_id)))

    def unfinished(self) -> list[Job]:
        """Return the jobs that were taken and not finished, in order of arrival."""
        return list(self._unfinished)

    async def load(self) -> None:
        """Read what was not settled when the executor last ended, before any new job is taken."""
        await self._recovery.load()

    async def resume(self) -> None:
        """Settle what was not, as far as the exchange can tell now, then let new work begin.

        The rest is answered `unknown` and asked about further, while other work goes on.
        """
        await self._recovery.settle()
        await self._controls.known()
        self._ready.set()

    async def _handle(self, job: Job, our_id: str, turn: Turn) -> None:
        try:
            if not self.ledger.knows(job.work.request_id):
                await self._carry_out(job, our_id, turn)
        finally:
            turn.end()
        await job.done()
        del self._unfinished[job]

    async def _carry_out(self, job: Job, our_id: str, turn: Turn) -> None:
        self._answers.expect(job.work.answer_to)
        decision = await self._decide(job) if await self._reached(job, turn) else self._expired(job)
        verdict = decision if isinstance(decision, Response) else None
        intent = intent_of(job.work, now_ms(), accepted_ns=job.accepted_ns, client_order_id=our_id, verdict=verdict)
        if not await self.ledger.claim(job.work.request_id, intent):
            self._health.count("duplicates")
        elif isinstance(decision, Response):
            await self._execution.finish(job.work.request_id, intent, decision, turn, intent.trace)
        else:
            await self._execution.execute(job, intent, decision, turn, self._stopped)

    async def _reached(self, job: Job, turn: Turn) -> bool:
        """Wait for the account and for the job's turn; False if its validity ends before."""
        if self._ready.is_set() and turn.is_free:
            return True
        try:
            async with asyncio.timeout((job.work.valid_until_ms - now_ms()) / 1000):
                await self._ready.wait()
                await turn.begins()
        except TimeoutError:
            return False
        return True

    async def _decide(self, job: Job) -> Sendable | Response:
        if (stopped := self._stopped(job)) is not None:
            return stopped
        request = job.work.request
        if isinstance(request, CancelOrder | CancelAllOrders):
            return request
        if not isinstance(request, CreateOrder | EditOrder):
            raise TypeError("halts are taken at the reception")
        if misfit := self._exchange.rules.precision_errors(request.payload):
            return job.work.refuse("rejected", "InvalidOrder", "; ".join(misfit))
        edited = await self._edited(request.payload) if isinstance(request, EditOrder) else None
        decision = self._controls.decide(request, edited, now_ms())
        if isinstance(decision, Refused):
            return job.work.refuse("rejected", "RiskRefused", decision.reason)
        return decision

    def _stopped(self, job: Job) -> Response | None:
        """Return the answer to a request that must not be sent, whatever its terms; None to one that may."""
        if now_ms() > job.work.valid_until_ms:
            return self._expired(job)
        if isinstance(job.work.request, CancelOrder | CancelAllOrders):
            return None
        if reason := self._controls.halt_reason(self._account.exchange, job.work.source):
            return job.work.refuse("rejected", "Halted", reason)
        if self._execution.trouble is not None:
            return job.work.refuse("rejected", "Halted", f"the account cannot trade: {self._execution.trouble}")
        return None

    def _expired(self, job: Job) -> Response:
        waited = "" if self._ready.is_set() else "; the account was not ready to trade yet"
        late_ms = now_ms() - job.work.valid_until_ms
        return job.work.refuse("expired", "Expired", f"its validity ended {max(late_ms, 0)} ms ago{waited}")

    async def _edited(self, payload: EditPayload) -> Order | None:
        """Return what is known of the order to edit, where a limit needs the terms that the edit leaves alone."""
        complete = payload.amount_base is not None and payload.price is not None
        if complete or payload.order_id is None or self._controls.limits.max_order_notional is None:
            return None
        known = await self._bus.orders.get(
            self._account.tenant, payload.order_id, exchange=self._account.exchange, symbol=Symbol(payload.symbol)
        )
        return known.order if known else None
