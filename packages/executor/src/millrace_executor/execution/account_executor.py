"""The execution of one account's requests: decides about each, keeps the order among them, and has them sent.

Requests run concurrently; those that concern the same order run one after the other. Nothing is sent before its
intent is in the ledger, and nothing is sent twice.
"""

import asyncio
from collections.abc import Collection

import structlog

from millrace_bus import Bus
from millrace_core.clock import elapsed_ms, now_ms
from millrace_core.halts import HaltScope
from millrace_core.messages import Response
from millrace_core.names import StreamName, Symbol
from millrace_core.requests import CancelAllOrders, CancelOrder, CreateOrder, EditOrder
from millrace_exchange import Exchange, ExchangeError, Fatal
from millrace_executor.accepted_request import AcceptedRequest, AccountKey
from millrace_executor.answering.answer_streams import AnswerStreams
from millrace_executor.answering.copies import report_copy
from millrace_executor.answering.intent_ledger import Exchanges, IntentLedger, UsedElsewhere
from millrace_executor.answering.intents import Intent, intent_of
from millrace_executor.answering.responder import Responder
from millrace_executor.automatic_halts import AutomaticHalts
from millrace_executor.execution.leased_execution import LeasedExecution
from millrace_executor.execution.order_sender import OrderSender, Sendable
from millrace_executor.intake.lost_data import doubt_about
from millrace_executor.intake.order_queue import OrderQueue, Turn
from millrace_executor.lease.tenure import LeaseLost, Tenure
from millrace_executor.refused_writes import RefusedWrites
from millrace_executor.request_tasks import RequestTasks
from millrace_executor.resolution.resolver import Resolver
from millrace_executor.resolution.startup_recovery import StartupRecovery
from millrace_executor.risk import Approved, RiskRejection
from millrace_executor.risk.account_risk import AccountRisk
from millrace_executor.trading_controls import TradingControls
from millrace_service import UnitHealthReporter

log = structlog.get_logger()


class AccountExecutor:
    """One account's execution. A change of the account's configuration makes a new one, and so does a take-over."""

    def __init__(
        self,
        account: AccountKey,
        exchange: Exchange,
        tenure: Tenure,
        *,
        digest: str,
        accounts: Exchanges,
        bus: Bus,
        streams: AnswerStreams,
        controls: TradingControls,
        halts: AutomaticHalts,
        health: UnitHealthReporter,
    ) -> None:
        """`digest` tells the account's keys from others; `accounts` returns the tenant's exchanges."""
        writes = RefusedWrites(health)
        self.ledger = IntentLedger(bus.intents, tenure, account.exchange, writes, accounts=accounts)
        self.tasks = RequestTasks()
        self._account = account
        self._digest = digest
        self._tenure = tenure
        self._exchange = exchange
        self._bus = bus
        self._streams = streams
        self._controls = controls
        self._halts = halts
        self._health = health
        self._queue = OrderQueue()
        self._risk = AccountRisk(account, exchange, bus, controls)
        self._responder = Responder(
            tenure,
            account.exchange,
            bus=bus,
            streams=streams,
            ledger=self.ledger,
            health=health,
            writes=writes,
            # Before it is published: its reader may ask for the next order at once.
            on_answer=lambda intent, answer: self._risk.answered(intent.client_order_id or "", answer),
        )
        resolver = Resolver(exchange, health, tenure.server_ms, digest)
        client = LeasedExecution(exchange.execution, tenure)
        self._sender = OrderSender(
            client, self._queue, self._responder, resolver, self._stop_reason, self._halt_account, health
        )
        self._recovery = StartupRecovery(
            self.ledger, self._responder, resolver, self._queue, self.tasks, health, tenure.answering
        )
        self._ready = asyncio.Event()
        self._unfinished: dict[AcceptedRequest, None] = {}

    @property
    def symbols(self) -> Collection[str]:
        """Return the symbols of the exchange's markets; empty until the exchange is prepared."""
        return self._exchange.rules.symbols

    def take(self, accepted: AcceptedRequest) -> None:
        """Carry a request out; requests that concern the same order run in the order in which they were taken."""
        self._health.count("requests")
        our_id = self._exchange.profile.client_order_ids.of(accepted.request_id)
        self._unfinished[accepted] = None
        self.tasks.start(self._handle(accepted, our_id, self._queue.enter(accepted.request, our_id)))

    def unfinished(self) -> list[AcceptedRequest]:
        """Return the requests that were taken and not finished, in order of arrival."""
        return list(self._unfinished)

    async def load(self) -> None:
        """Read what was not settled when the executor last ended, before any new request is taken."""
        await self._recovery.load()

    async def resume(self) -> None:
        """Settle what is unsettled as far as the exchange knows, then let new requests begin.

        The rest is answered `unknown` and resolved while other requests go on.
        """
        await self._expect_orders()
        await self._recovery.resolve()
        await self._controls.known()
        self._ready.set()

    async def _expect_orders(self) -> None:
        """Tell the client where those before it may have left open orders that no list of the account holds."""
        client, orders, account = self._exchange.execution, self._bus.orders, self._account
        symbols = [Symbol(symbol) for symbol in client.symbols_left_out()]
        of_each = (orders.open_ids(account.tenant, account.exchange, symbol) for symbol in symbols)
        found = zip(symbols, await asyncio.gather(*of_each), strict=True)
        client.expect_orders_in([*self._recovery.symbols, *(symbol for symbol, ids in found if ids)])

    async def close(self) -> None:
        """Stop following what risk needs to know."""
        await self._risk.close()

    async def _handle(self, accepted: AcceptedRequest, our_id: str, turn: Turn) -> None:
        try:
            await self._carry_out(accepted, our_id, turn)
        finally:
            turn.end()
        await accepted.acknowledge()
        del self._unfinished[accepted]

    async def _carry_out(self, accepted: AcceptedRequest, our_id: str, turn: Turn) -> None:
        """Decide about a request, claim it and end it; what risk approved is under way no longer than this."""
        if (answer_to := self._answer_to(accepted)) == accepted.answer_to:
            self._streams.expect(answer_to, self._tenure)
        decision, answer = await self._decision(accepted, our_id, turn), None
        if decision is None:
            await report_copy(self.ledger, self._health, accepted.request_id, accepted.answer_to)
            return
        try:
            answer = await self._end(accepted, our_id, decision, turn)
        finally:
            if answer is None and isinstance(decision, Approved):
                self._risk.unanswered(our_id)

    async def _end(
        self, accepted: AcceptedRequest, our_id: str, decision: Sendable | Response, turn: Turn
    ) -> Response | None:
        """Answer a request by a decision; return the final answer, or None if it has none or another claimed it."""
        verdict = decision if isinstance(decision, Response) else None
        intent = intent_of(
            accepted,
            self._tenure.server_ms(),
            answer_to=self._answer_to(accepted),
            client_order_id=our_id,
            verdict=verdict,
            account=self._digest,
        )
        try:
            is_claimed = await self.ledger.claim(intent)
        except UsedElsewhere as used:
            # It has an answer of its own, in this account's ledger: nobody waits on the stream of the other.
            return await self._end(accepted, our_id, accepted.error_answer("rejected", "BadRequest", str(used)), turn)
        if not is_claimed:
            await report_copy(self.ledger, self._health, accepted.request_id, accepted.answer_to)
            return None
        try:
            if isinstance(decision, Response):
                await self._responder.finish(intent, decision, intent.trace)
                return decision
            return await self._sender.execute(accepted, intent, decision, turn)
        except LeaseLost:
            raise
        except Exception as error:  # noqa: BLE001  What one request holds must not end the account's others.
            return await self._end_faulty(accepted, intent, turn, error)

    async def _decision(self, accepted: AcceptedRequest, our_id: str, turn: Turn) -> Sendable | Response | None:
        """Decide about a request once its turn comes; None for a copy, whose turn is after that of the original."""
        try:
            begins = await self._begins(accepted, turn)
            if self.ledger.knows(accepted.request_id):
                return None
            return await self._decide(accepted, our_id) if begins else self._expired(accepted)
        except Exception as error:  # noqa: BLE001  As above; nothing was sent yet.
            return self._fault(accepted, error)

    def _answer_to(self, accepted: AcceptedRequest) -> StreamName:
        """Return the stream of a request's answer: symbols that the exchange does not list make none."""
        name = accepted.answer_to
        return name if name.symbol in self.symbols else name._replace(symbol=None)

    def _fault(self, accepted: AcceptedRequest, error: Exception) -> Response:
        """Report an error that was not foreseen, and return the answer to a request that was certainly not sent."""
        log.error("the handling of a request failed", request_id=accepted.request_id, exc_info=error)
        self._health.error(error)
        text = f"not sent: its handling failed: {type(error).__name__}"
        return accepted.error_answer("failed", "InternalError", text)

    async def _end_faulty(
        self, accepted: AcceptedRequest, intent: Intent, turn: Turn, error: Exception
    ) -> Response | None:
        """End a claimed request whose handling failed: one that may have been sent, by asking the exchange."""
        answer = self._fault(accepted, error)
        for unanswered in await self._responder.unanswered([intent]):
            if intent.verdict is None:
                return await self._recovery.settle(unanswered, turn)
            await self._responder.finish(unanswered, answer, intent.trace)
            return answer
        return None

    async def _begins(self, accepted: AcceptedRequest, turn: Turn) -> bool:
        """Wait until the account is ready and the request's turn comes; False if its validity ends before."""
        if self._ready.is_set() and turn.is_free:
            return True
        if self._controls.halt_reason(self._account.exchange, accepted.source) and not _is_cancel(accepted):
            return True  # It will not be sent: nothing is worth waiting for.
        try:
            async with asyncio.timeout((accepted.valid_until_ms - now_ms()) / 1000):
                await self._ready.wait()
                await turn.begins()
        except TimeoutError:
            return False
        return True

    async def _decide(self, accepted: AcceptedRequest, our_id: str) -> Sendable | Response:
        if (stopped := self._stop_reason(accepted)) is not None:
            return stopped
        request = accepted.request
        if isinstance(request, CancelOrder | CancelAllOrders):
            return request
        if not isinstance(request, CreateOrder | EditOrder):
            raise TypeError("halts are carried out by the request consumer")
        if (runaway := self._runaway(accepted)) is not None:
            return runaway
        if precision_errors := self._exchange.rules.precision_errors(request.payload):
            return accepted.error_answer("rejected", "InvalidOrder", "; ".join(precision_errors))
        try:
            decision = await self._risk.decide(request, our_id)
        except ExchangeError as error:
            reason = f"a limit cannot be checked, since the exchange does not tell what it must: {error.kind}: {error}"
            return accepted.error_answer("rejected", "RiskRefused", reason)
        if isinstance(decision, RiskRejection):
            return accepted.error_answer("rejected", "RiskRefused", decision.reason)
        return decision

    def _stop_reason(self, accepted: AcceptedRequest) -> Response | None:
        """Return the answer to a request that must not be sent, whatever its terms; None if it may be sent."""
        if now_ms() > accepted.valid_until_ms:
            return self._expired(accepted)
        if _is_cancel(accepted):
            return None
        if reason := self._controls.halt_reason(self._account.exchange, accepted.source):
            return accepted.error_answer("rejected", "Halted", reason)
        if (doubt := doubt_about(accepted, self._controls.halts)) is not None:
            return accepted.error_answer("rejected", "LedgerLost", doubt)
        return None

    def _halt_account(self, refusal: Fatal) -> None:
        reason = f"{self._account.exchange} refuses the API key: {refusal}"
        self.tasks.start(self._halts.request(HaltScope(self._account.exchange), reason))

    def _runaway(self, accepted: AcceptedRequest) -> Response | None:
        """Halt a source that asks for more than it may, and refuse its request; None if it does not."""
        source = accepted.source
        if source is None or (reason := self._controls.runaway_reason(source, elapsed_ms())) is None:
            return None
        self.tasks.start(self._halts.request(HaltScope(None, source), reason))
        return accepted.error_answer("rejected", "Halted", reason)

    def _expired(self, accepted: AcceptedRequest) -> Response:
        waited = "" if self._ready.is_set() else " (the account was not ready to trade yet)"
        late_ms = now_ms() - accepted.valid_until_ms
        return accepted.error_answer("expired", "Expired", f"expired {max(late_ms, 0)} ms ago{waited}")


def _is_cancel(accepted: AcceptedRequest) -> bool:
    return isinstance(accepted.request, CancelOrder | CancelAllOrders)
