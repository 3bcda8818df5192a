"""Which markets and accounts come natively, and which symbol means which of the exchange's names."""

from collections.abc import Mapping
from typing import Any, Final

from millrace_exchange.ccxt.caller import CcxtCaller
from millrace_exchange.ccxt.market_listing import MarketListing

_OF_MARGIN: Final = ("defaultMarginMode", "marginMode", "portfolioMargin", "papi")


async def spot_market_id(caller: CcxtCaller, listing: MarketListing, symbol: str) -> str | None:
    """Return the exchange's id of a spot market; None for any other symbol.

    Raises:
        Rejected: the exchange has no such market.
    """
    await listing.know(symbol)
    market: dict[str, Any] = caller.ccxt.markets.get(symbol) or {}
    return str(market["id"]) if market.get("spot") else None


def is_of_margin(options: Mapping[str, Any]) -> bool:
    """Tell whether ccxt's options make what happens in spot markets that of a margin account."""
    return options.get("defaultType") == "margin" or any(options.get(name) for name in _OF_MARGIN)


def holds_spot_balances(options: Mapping[str, Any]) -> bool:
    """Tell whether ccxt's options make the balances that it asks for those of the spot account."""
    return options.get("defaultType", "spot") == "spot" and not is_of_margin(options)
