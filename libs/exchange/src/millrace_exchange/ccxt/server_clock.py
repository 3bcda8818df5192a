"""Asks an exchange for its time: tells whether it can be reached, and how far our clock is from its clock."""

from millrace_core.budget import RequestBudget
from millrace_core.config.common import Credentials
from millrace_exchange.ccxt.exchange import open_ccxt_exchange
from millrace_exchange.ccxt.exchange_clock import ServerClock, server_clock_by


async def server_clock(exchange_id: str, credentials: Credentials, budget: RequestBudget | None = None) -> ServerClock:
    """Return how an exchange answered; one that does not tell its time is asked for its markets instead.

    Raises:
        ExchangeError: it cannot be reached, or refused.
        UnknownExchange: ccxt has none of that id.
    """
    exchange = await open_ccxt_exchange(exchange_id, credentials, budget)

    async def ask() -> int | None:
        time_ms = await exchange.caller.time()
        if time_ms is None:
            await exchange.caller.load_markets()
        return time_ms

    try:
        return await server_clock_by(ask)
    finally:
        await exchange.close()
