"""The unit that trades on one account: opens the exchange, and trades while it holds the tenant's lease."""

import asyncio
import hashlib
from dataclasses import dataclass

import structlog

from millrace_bus import Bus
from millrace_core.backoff import Backoff, BackoffPolicy
from millrace_core.clock import now_ms
from millrace_core.config import Credentials
from millrace_core.halts import HaltScope
from millrace_exchange import Exchange, ExchangeError, Fatal, open_exchange
from millrace_executor.accepted_request import AccountKey
from millrace_executor.answering.answer_streams import AnswerStreams
from millrace_executor.automatic_halts import AutomaticHalts
from millrace_executor.execution.account_executor import AccountExecutor
from millrace_executor.intake.router import RequestRouter
from millrace_executor.lease.tenant_lease import TenantLease
from millrace_executor.lease.tenure import Tenure
from millrace_executor.request_tasks import DRAIN_S
from millrace_executor.trading_controls import TradingControls
from millrace_service import UnitHealthReporter
from millrace_service.tasks import run_all

PRUNE_EVERY_S = 60.0
_DIGEST_DIGITS = 16
PREPARE_AGAIN = BackoffPolicy(first_s=1.0, limit_s=30.0)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class AccountUnitConfig:
    """One account to trade on."""

    account: AccountKey
    credentials: Credentials


def digest_of(credentials: Credentials) -> str:
    """Return what tells an account's keys from others; no key can be worked out of it."""
    named = (credentials.api_key, credentials.uid, credentials.test)
    return hashlib.sha256(repr(named).encode()).hexdigest()[:_DIGEST_DIGITS]


class AccountUnit:
    """Trades on an account whenever this process holds the tenant's lease.

    The exchange is prepared while another executor holds it, so that a take-over does not wait for that.
    """

    def __init__(
        self,
        unit: AccountUnitConfig,
        *,
        bus: Bus,
        streams: AnswerStreams,
        controls: TradingControls,
        router: RequestRouter,
        lease: TenantLease,
        health: UnitHealthReporter,
    ) -> None:
        self._unit = unit
        self._bus = bus
        self._streams = streams
        self._controls = controls
        self._router = router
        self._lease = lease
        self._health = health
        self._halts = AutomaticHalts(unit.account.tenant, bus.requests, controls, health)
        self._prepared = asyncio.Event()

    async def run(self) -> None:
        """Trade until cancelled.

        Raises:
            UnknownExchange: ccxt has no exchange of that id.
        """
        account = self._unit.account
        exchange = await open_exchange(account.exchange, self._unit.credentials, self._bus.budget(account.tenant))
        try:
            with exchange.reporting(self._health.gauge):
                trading = self._lease.while_held(self._health, lambda tenure: self._trade(tenure, exchange))
                await run_all(self._prepare(exchange), trading)
        finally:
            await exchange.close()

    async def _trade(self, tenure: Tenure, exchange: Exchange) -> None:
        """Trade under the lease.

        Requests are taken at once and wait until the exchange is prepared. On cancellation those under way may end, and
        those that have not begun go to the executor of the account that opens next.
        """
        executor = AccountExecutor(
            self._unit.account,
            exchange,
            tenure,
            digest=digest_of(self._unit.credentials),
            accounts=lambda: self._router.exchanges_of(self._unit.account.tenant),
            bus=self._bus,
            streams=self._streams,
            controls=self._controls,
            halts=self._halts,
            health=self._health,
        )
        if self._health.current_state == "standby":
            self._health.state("starting")
        try:
            await executor.load()
            self._router.open(self._unit.account, executor)
            await executor.tasks.run_beside(self._serve(executor), tenure.until_lost())
        finally:
            self._router.close(self._unit.account, executor)
            await executor.tasks.drain(0.0 if tenure.is_lost else DRAIN_S)
            if not tenure.is_lost:
                for accepted in executor.unfinished():
                    self._router.route(accepted)
            await executor.close()

    async def _serve(self, executor: AccountExecutor) -> None:
        await self._prepared.wait()
        await executor.resume()
        self._health.state("live")
        while True:
            await asyncio.sleep(PRUNE_EVERY_S)
            await executor.ledger.prune(now_ms())

    async def _prepare(self, exchange: Exchange) -> None:
        backoff = Backoff(PREPARE_AGAIN)
        while not self._prepared.is_set():
            try:
                await exchange.prepare()
            except ExchangeError as error:
                pause_s = backoff.failed(at_least_s=error.retry_after_s)
                if backoff.failures == 1:
                    log.warning("cannot open the account; trying again", cause=str(error), kind=error.kind)
                self._health.error(error)
                self._health.state("failed", f"cannot open the account: {error.kind}: {error}")
                if isinstance(error, Fatal):
                    exchange_id = self._unit.account.exchange
                    await self._halts.request(HaltScope(exchange_id), f"{exchange_id} refuses the API key: {error}")
                await asyncio.sleep(pause_s)
            else:
                self._prepared.set()
