"""The unit of work that trades on one account: from opening the exchange to handing unfinished work on."""

import asyncio
from dataclasses import dataclass

import structlog

from millrace_bus import Bus
from millrace_core.clock import now_ms
from millrace_core.config import Credentials
from millrace_exchange import Exchange, ExchangeError, Retryable, open_exchange
from millrace_executor.answering.answer_streams import Answers
from millrace_executor.controls import Controls
from millrace_executor.execution.account_executor import Desk
from millrace_executor.intake.router import AccountKey, Desks
from millrace_service import UnitHealthReporter

DRAIN_S = 2.0
"""How long requests under way may take to end when the unit must; what is left is settled by its successor."""
PRUNE_EVERY_S = 60.0
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class AccountUnit:
    """One account to trade on."""

    account: AccountKey
    credentials: Credentials


async def trade(
    unit: AccountUnit, *, bus: Bus, answers: Answers, controls: Controls, desks: Desks, health: UnitHealthReporter
) -> None:
    """Trade on an account until cancelled.

    Requests are taken at once and wait until the exchange is prepared; on cancellation those under way may
    end, and what has not been begun is handed to the desk that comes next.

    Raises:
        UnknownExchange: there is no exchange of that id.
    """
    exchange = await open_exchange(unit.account.exchange, unit.credentials)
    desk = Desk(unit.account, exchange, bus=bus, answers=answers, controls=controls, health=health)
    try:
        await desk.load()
        desks.open(unit.account, desk.take)
        await desk.running.until_crash(_live(desk, exchange, health))
    finally:
        desks.close(unit.account, desk.take)
        await desk.running.drain(DRAIN_S)
        for job in desk.unfinished():
            desks.route(job)
        await exchange.close()


async def _live(desk: Desk, exchange: Exchange, health: UnitHealthReporter) -> None:
    await _prepare(exchange, health)
    await desk.resume()
    health.state("live")
    while True:
        await asyncio.sleep(PRUNE_EVERY_S)
        await desk.ledger.prune(now_ms())


async def _prepare(exchange: Exchange, health: UnitHealthReporter) -> None:
    pause_s, told = FIRST_PAUSE_S, False
    while True:
        try:
            await exchange.prepare()
        except ExchangeError as error:
            if isinstance(error, Retryable):
                pause_s = max(pause_s, error.retry_after_ms / 1000)
            if not told:
                log.warning("the account cannot be opened; it is tried again", cause=str(error), kind=error.kind)
            told = True
            health.error(error)
            health.state("failed", f"the account cannot be opened: {error.kind}: {error}")
        else:
            return
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
