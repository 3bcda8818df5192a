"""The unit that trades on one account: opens the exchange, and hands over unfinished requests at its end."""

import asyncio
from dataclasses import dataclass

import structlog

from millrace_bus import Bus
from millrace_core.backoff import Backoff, BackoffPolicy
from millrace_core.clock import now_ms
from millrace_core.config import Credentials
from millrace_exchange import Exchange, ExchangeError, open_exchange
from millrace_executor.accepted_request import AccountKey
from millrace_executor.answering.answer_streams import AnswerStreams
from millrace_executor.execution.account_executor import AccountExecutor
from millrace_executor.intake.router import RequestRouter
from millrace_executor.request_tasks import DRAIN_S
from millrace_executor.trading_controls import TradingControls
from millrace_service import UnitHealthReporter

PRUNE_EVERY_S = 60.0
PREPARE_AGAIN = BackoffPolicy(first_s=1.0, limit_s=30.0)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class AccountUnitConfig:
    """One account to trade on."""

    account: AccountKey
    credentials: Credentials


async def trade(
    unit: AccountUnitConfig,
    *,
    bus: Bus,
    streams: AnswerStreams,
    controls: TradingControls,
    router: RequestRouter,
    health: UnitHealthReporter,
) -> None:
    """Trade on an account until cancelled.

    Requests are taken at once and wait until the exchange is prepared. On cancellation those under way may end, and
    those that have not begun go to the executor of the account that opens next.

    Raises:
        UnknownExchange: ccxt has no exchange of that id.
    """
    exchange = await open_exchange(unit.account.exchange, unit.credentials, bus.budget(unit.account.tenant))
    executor = AccountExecutor(unit.account, exchange, bus=bus, streams=streams, controls=controls, health=health)
    try:
        await executor.load()
        router.open(unit.account, executor)
        with exchange.reporting(health.gauge):
            await executor.tasks.run_beside(_run(executor, exchange, health))
    finally:
        router.close(unit.account, executor)
        await executor.tasks.drain(DRAIN_S)
        for accepted in executor.unfinished():
            router.route(accepted)
        await executor.close()
        await exchange.close()


async def _run(executor: AccountExecutor, exchange: Exchange, health: UnitHealthReporter) -> None:
    await _prepare(exchange, health)
    await executor.resume()
    health.state("live")
    while True:
        await asyncio.sleep(PRUNE_EVERY_S)
        await executor.ledger.prune(now_ms())


async def _prepare(exchange: Exchange, health: UnitHealthReporter) -> None:
    backoff = Backoff(PREPARE_AGAIN)
    while True:
        try:
            await exchange.prepare()
        except ExchangeError as error:
            pause_s = backoff.failed(at_least_s=error.retry_after_s)
            if backoff.failures == 1:
                log.warning("cannot open the account; trying again", cause=str(error), kind=error.kind)
            health.error(error)
            health.state("failed", f"cannot open the account: {error.kind}: {error}")
        else:
            return
        await asyncio.sleep(pause_s)
