"""Whether an order's numbers are ones that the exchange takes as they are, or ones that would be rounded on the way."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from ccxt.base.errors import BaseError

from millrace_core.requests import CreatePayload, EditPayload
from millrace_exchange.ccxt.exchange import Exchange


def misfits(exchange: Exchange, payload: CreatePayload | EditPayload) -> list[str]:
    """Say of each number that ccxt would round on its way to the exchange what it must be a multiple of.

    Empty where all fit, and for a symbol that the exchange does not have. An amount in quote currency is not
    looked at: exchanges take of it what makes whole lots.
    """
    market = (exchange.ccxt.markets or {}).get(payload.symbol)
    return [] if market is None else list(_misfits(exchange.ccxt, market, payload))


def _misfits(ccxt: Any, market: dict[str, Any], payload: CreatePayload | EditPayload) -> Iterator[str]:
    # A market order's price is never sent.
    limit = None if payload.type == "market" else payload.price
    numbers = (
        ("amountBase", payload.amount_base, "lot", market["precision"]["amount"], ccxt.amount_to_precision),
        ("price", limit, "tick", market["precision"]["price"], ccxt.price_to_precision),
        ("triggerPrice", payload.trigger_price, "tick", market["precision"]["price"], ccxt.price_to_precision),
    )
    for name, number, step, size, to_precision in numbers:
        if number is not None and size is not None and _is_rounded(to_precision, payload.symbol, number):
            yield f"{name} {number:f} would be rounded: the {step} of {payload.symbol} is {ccxt.number_to_string(size)}"


def _is_rounded(to_precision: Callable[[str, str], str], symbol: str, number: Decimal) -> bool:
    try:
        return Decimal(to_precision(symbol, f"{number:f}")) != number
    except BaseError:
        return True  # ccxt's word for what would be rounded to nothing
