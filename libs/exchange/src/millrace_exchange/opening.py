"""Opens an exchange with the adapter that serves it."""

from millrace_core.budget import RequestBudget
from millrace_core.config.common import Credentials
from millrace_exchange.ccxt.exchange import open_ccxt_exchange
from millrace_exchange.native.exchange import DIALECTS, NativeExchange
from millrace_exchange.ports import Exchange


async def open_exchange(exchange_id: str, credentials: Credentials, budget: RequestBudget | None = None) -> Exchange:
    """Return an exchange with an account's settings applied; nothing is sent to it yet.

    Every request is counted in the `budget`; without one the exchange counts for itself alone.

    Raises:
        UnknownExchange: no adapter has an exchange of that id.
    """
    exchange = await open_ccxt_exchange(exchange_id, credentials, budget)
    feed = exchange.profile.native_feed
    if feed is None or credentials.adapter == "ccxt":
        return exchange
    return NativeExchange(exchange.caller, DIALECTS[feed])
