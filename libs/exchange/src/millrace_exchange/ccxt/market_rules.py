"""Market rules of an exchange, as ccxt knows them."""

from collections.abc import Callable, Iterator
from decimal import Decimal, localcontext
from typing import Any, Final

from ccxt.base.decimal_to_precision import TRUNCATE
from ccxt.base.errors import BaseError

from millrace_core.requests import CreatePayload, EditPayload

_DIGITS: Final = 100
"""More than the longest number that a request may hold, in steps of the smallest size."""


class CcxtMarketRules:
    """The port `MarketRules`."""

    def __init__(self, ccxt: Any) -> None:
        self._ccxt = ccxt

    @property
    def symbols(self) -> frozenset[str]:
        """The unified symbols of its markets; empty before the exchange is prepared."""
        return frozenset(self._ccxt.markets or ())

    def precision_errors(self, payload: CreatePayload | EditPayload) -> list[str]:
        """Return an error for each number that ccxt would round, with the step that it must be a multiple of.

        Empty for a symbol that the exchange does not have. An amount in quote currency must fit the
        step in which the exchange counts that currency, where it says so.
        """
        market = (self._ccxt.markets or {}).get(payload.symbol)
        if market is None:
            return []
        # ccxt divides in the context of its caller, and 28 digits are too few for the quotient of a long number.
        with localcontext(prec=_DIGITS):
            return list(_precision_errors(self._ccxt, market, payload))


def _precision_errors(ccxt: Any, market: dict[str, Any], payload: CreatePayload | EditPayload) -> Iterator[str]:
    # A market order's price is never sent.
    limit = None if payload.type == "market" else payload.price
    numbers = (
        ("amountBase", payload.amount_base, "lot", market["precision"]["amount"], ccxt.amount_to_precision),
        ("price", limit, "tick", market["precision"]["price"], ccxt.price_to_precision),
        ("triggerPrice", payload.trigger_price, "tick", market["precision"]["price"], ccxt.price_to_precision),
    )
    yield from _quote_errors(ccxt, market, payload)
    for name, number, step, size, to_precision in numbers:
        if number is not None and size is not None and _is_rounded(to_precision, payload.symbol, number):
            yield f"{name} {number:f} would be rounded: the {step} of {payload.symbol} is {ccxt.number_to_string(size)}"


def _quote_errors(ccxt: Any, market: dict[str, Any], payload: CreatePayload | EditPayload) -> Iterator[str]:
    number = payload.amount_quote if isinstance(payload, CreatePayload) else None
    info = market["info"] if isinstance(market["info"], dict) else {}  # Bitfinex lists a market as a list.
    steps = (market["precision"].get("cost"), market["precision"].get("quote"), info.get("quoteIncrement"))
    step = next((step for step in steps if step is not None), None)
    if number is None or step is None:
        return
    text = ccxt.decimal_to_precision(f"{number:f}", TRUNCATE, step, ccxt.precisionMode, ccxt.paddingMode)
    if Decimal(text) != number:
        size = ccxt.number_to_string(step)
        yield f"amountQuote {number:f} is not a multiple of {size}, the quote currency's step in {payload.symbol}"


def _is_rounded(to_precision: Callable[[str, str], str], symbol: str, number: Decimal) -> bool:
    try:
        return Decimal(to_precision(symbol, f"{number:f}")) != number
    except BaseError:
        return True  # ccxt raises for a number that would be rounded to zero
