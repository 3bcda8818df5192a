"""Which markets come natively, and which symbol means which of the exchange's names."""

from typing import Any

from millrace_exchange.ccxt.caller import CcxtCaller
from millrace_exchange.ccxt.market_listing import MarketListing


async def spot_market_id(caller: CcxtCaller, listing: MarketListing, symbol: str) -> str | None:
    """Return the exchange's id of a spot market; None for any other symbol.

    Raises:
        Rejected: the exchange has no such market.
    """
    await listing.know(symbol)
    market: dict[str, Any] = caller.ccxt.markets.get(symbol) or {}
    return str(market["id"]) if market.get("spot") else None
