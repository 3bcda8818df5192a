"""The execution of one account's requests: decides about each, keeps the order among them, and has them sent.

Requests run concurrently; those that concern the same order run one after the other. Nothing is sent before its
intent is in the ledger, and nothing is sent twice.
"""

import asyncio
from collections.abc import Collection

from millrace_bus import Bus
from millrace_core.clock import now_ms
from millrace_core.messages import Response
from millrace_core.requests import CancelAllOrders, CancelOrder, CreateOrder, EditOrder
from millrace_exchange import Exchange, ExchangeError
from millrace_executor.accepted_request import AcceptedRequest, AccountKey
from millrace_executor.answering.answer_streams import AnswerStreams
from millrace_executor.answering.intent_ledger import IntentLedger, intent_of
from millrace_executor.answering.responder import Responder
from millrace_executor.execution.order_sender import OrderSender, Sendable
from millrace_executor.intake.order_queue import OrderQueue, Turn
from millrace_executor.refused_writes import RefusedWrites
from millrace_executor.request_tasks import RequestTasks
from millrace_executor.resolution.resolver import Resolver
from millrace_executor.resolution.startup_recovery import StartupRecovery
from millrace_executor.risk import RiskRejection
from millrace_executor.risk.account_risk import AccountRisk
from millrace_executor.trading_controls import TradingControls
from millrace_service import UnitHealthReporter


class AccountExecutor:
    """One account's execution. A change of the account's configuration makes a new one."""

    def __init__(
        self,
        account: AccountKey,
        exchange: Exchange,
        *,
        bus: Bus,
        streams: AnswerStreams,
        controls: TradingControls,
        health: UnitHealthReporter,
    ) -> None:
        writes = RefusedWrites(health)
        self.ledger = IntentLedger(bus.intents, account.tenant, account.exchange, writes)
        self.tasks = RequestTasks()
        self._account = account
        self._exchange = exchange
        self._bus = bus
        self._streams = streams
        self._controls = controls
        self._health = health
        self._queue = OrderQueue()
        self._responder = Responder(
            *account, bus=bus, streams=streams, ledger=self.ledger, health=health, writes=writes
        )
        resolver = Resolver(exchange, health)
        self._sender = OrderSender(exchange, self._queue, self._responder, resolver, self._stop_reason, health)
        self._recovery = StartupRecovery(self._responder, resolver, self._queue, self.tasks)
        self._risk = AccountRisk(account, exchange, bus, controls)
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
        await self._recovery.resolve()
        await self._controls.known()
        self._ready.set()

    async def close(self) -> None:
        """Stop following what risk needs to know."""
        await self._risk.close()

    async def _handle(self, accepted: AcceptedRequest, our_id: str, turn: Turn) -> None:
        try:
            if not self.ledger.knows(accepted.request_id):
                await self._carry_out(accepted, our_id, turn)
        finally:
            turn.end()
        await accepted.acknowledge()
        del self._unfinished[accepted]

    async def _carry_out(self, accepted: AcceptedRequest, our_id: str, turn: Turn) -> None:
        self._streams.expect(accepted.answer_to)
        decision = (
            await self._decide(accepted, our_id) if await self._begins(accepted, turn) else self._expired(accepted)
        )
        verdict = decision if isinstance(decision, Response) else None
        intent = intent_of(accepted, now_ms(), client_order_id=our_id, verdict=verdict)
        if not await self.ledger.claim(intent):
            self._health.count("duplicates")
        elif isinstance(decision, Response):
            await self._responder.finish(intent, decision, intent.trace)
        else:
            self._risk.answered(our_id, await self._sender.execute(accepted, intent, decision, turn))

    async def _begins(self, accepted: AcceptedRequest, turn: Turn) -> bool:
        """Wait until the account is ready and the request's turn comes; False if its validity ends before."""
        if self._ready.is_set() and turn.is_free:
            return True
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
        if isinstance(accepted.request, CancelOrder | CancelAllOrders):
            return None
        if reason := self._controls.halt_reason(self._account.exchange, accepted.source):
            return accepted.error_answer("rejected", "Halted", reason)
        if self._sender.fatal_reason is not None:
            return accepted.error_answer("rejected", "Halted", f"the account cannot trade: {self._sender.fatal_reason}")
        return None

    def _expired(self, accepted: AcceptedRequest) -> Response:
        waited = "" if self._ready.is_set() else " (the account was not ready to trade yet)"
        late_ms = now_ms() - accepted.valid_until_ms
        return accepted.error_answer("expired", "Expired", f"expired {max(late_ms, 0)} ms ago{waited}")
