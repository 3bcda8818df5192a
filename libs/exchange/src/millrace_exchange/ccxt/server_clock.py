"""Asks an exchange for its time: tells whether it can be reached, and how far our clock is from its clock."""

from typing import NamedTuple

from millrace_core.budget import RequestBudget
from millrace_core.clock import now_ms
from millrace_core.config.common import Credentials
from millrace_exchange.ccxt.exchange import open_ccxt_exchange


class ServerClock(NamedTuple):
    """An exchange that answered."""

    round_trip_ms: int
    offset_ms: int | None
    """Its clock minus ours, at most half a round trip wrong; None if it does not tell its time."""


async def server_clock(exchange_id: str, credentials: Credentials, budget: RequestBudget | None = None) -> ServerClock:
    """Return how an exchange answered; one that does not tell its time is asked for its markets instead.

    Raises:
        ExchangeError: it cannot be reached, or refused.
        UnknownExchange: ccxt has none of that id.
    """
    exchange = await open_ccxt_exchange(exchange_id, credentials, budget)
    caller = exchange.caller
    try:
        started_ms = now_ms()
        if not caller.ccxt.has.get("fetchTime"):
            await caller.load_markets()
            return ServerClock(now_ms() - started_ms, None)
        server_ms = int(await caller.call("fetchTime", caller.ccxt.fetch_time))
        ended_ms = now_ms()
        return ServerClock(ended_ms - started_ms, server_ms - (started_ms + ended_ms) // 2)
    finally:
        await exchange.close()
