"""Market rules of an exchange, as ccxt knows them."""

from collections.abc import Iterator
from decimal import Decimal, localcontext
from typing import Any, Final

from ccxt.base.decimal_to_precision import SIGNIFICANT_DIGITS, TICK_SIZE

from millrace_core.requests import CreatePayload, EditPayload
from millrace_exchange.ccxt.conversion import plain
from millrace_exchange.ports import MarketTerms

_DIGITS: Final = 100
"""More than any number of a request has, which is below 1e30, beside a step of any exchange."""


class CcxtMarketRules:
    """The port `MarketRules`."""

    def __init__(self, ccxt: Any) -> None:
        self._ccxt = ccxt

    @property
    def symbols(self) -> frozenset[str]:
        """The unified symbols of its markets; empty before the exchange is prepared."""
        return frozenset(self._ccxt.markets or ())

    @property
    def open_symbols(self) -> frozenset[str]:
        """Those of markets in which one can trade now, as far as the exchange says."""
        markets: dict[str, Any] = self._ccxt.markets or {}
        return frozenset(symbol for symbol, market in markets.items() if market.get("active") is not False)

    def terms(self, symbol: str) -> MarketTerms | None:
        """Return what one unit of a market is; None if the exchange has no such market."""
        market = (self._ccxt.markets or {}).get(symbol)
        if market is None:
            return None
        is_contract = bool(market.get("contract"))
        size = Decimal(str(market.get("contractSize") or 1)) if is_contract else Decimal(1)
        return MarketTerms(market["base"], market["quote"], is_contract, size, bool(market.get("inverse")))

    def precision_errors(self, payload: CreatePayload | EditPayload) -> list[str]:
        """Return an error for each number that ccxt would round, with the step that it must be a multiple of.

        Empty for a symbol that the exchange does not have. An amount in quote currency must fit the
        step in which the exchange counts that currency, where it says so.
        """
        market = (self._ccxt.markets or {}).get(payload.symbol)
        return [] if market is None else list(_precision_errors(self._ccxt, market, payload))


def _precision_errors(ccxt: Any, market: dict[str, Any], payload: CreatePayload | EditPayload) -> Iterator[str]:
    symbol, precision = payload.symbol, market["precision"]
    quote = payload.amount_quote if isinstance(payload, CreatePayload) else None
    # A market order's price is never sent.
    limit = None if payload.type == "market" else payload.price
    numbers = (
        ("amountQuote", quote, f"quote step of {symbol}", _quote_step(market)),
        ("amountBase", payload.amount_base, f"lot of {symbol}", precision["amount"]),
        ("price", limit, f"tick of {symbol}", precision["price"]),
        ("triggerPrice", payload.trigger_price, f"tick of {symbol}", precision["price"]),
    )
    for name, number, step, size in numbers:
        if number is not None and size is not None and not _fits(number, str(size), ccxt.precisionMode):
            yield f"{name} {number:f} would be rounded: the {step} is {_step_text(str(size), ccxt.precisionMode)}"


def _quote_step(market: dict[str, Any]) -> Any:
    precision, info = market["precision"], market["info"]
    # Some exchanges list their markets as arrays; KuCoin alone names a step that ccxt leaves out.
    further = info.get("quoteIncrement") if isinstance(info, dict) else None
    return next((step for step in (precision.get("cost"), precision.get("quote"), further) if step is not None), None)


def _fits(number: Decimal, size: str, mode: int) -> bool:
    """Tell whether a number is one that the exchange takes as it is: ccxt's own test fails at 28 digits."""
    with localcontext(prec=_DIGITS):
        if mode == SIGNIFICANT_DIGITS:
            return len(plain(number).normalize().as_tuple().digits) <= int(size)
        return number % _step(size, mode) == 0


def _step(size: str, mode: int) -> Decimal:
    return Decimal(size) if mode == TICK_SIZE else Decimal(1).scaleb(-int(size))


def _step_text(size: str, mode: int) -> str:
    return f"{size} significant digits" if mode == SIGNIFICANT_DIGITS else f"{plain(_step(size, mode)):f}"
