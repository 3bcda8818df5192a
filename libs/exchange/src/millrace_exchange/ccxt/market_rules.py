"""Market rules of an exchange, as ccxt knows them."""

from decimal import Decimal
from typing import Any

from ccxt.base.decimal_to_precision import SIGNIFICANT_DIGITS, TICK_SIZE

from millrace_core.market_terms import MarketTerms, precision_errors
from millrace_core.requests import CreatePayload, EditPayload
from millrace_exchange.ccxt.conversion import plain


class CcxtMarketRules:
    """The port `MarketRules`."""

    def __init__(self, ccxt: Any) -> None:
        self._ccxt = ccxt
        self._terms: dict[str, tuple[dict[str, Any], MarketTerms]] = {}
        """By symbol; valid while ccxt has the same market, which it replaces when it loads them again."""

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
        """Return the terms of a market; None if the exchange has no such market."""
        market = (self._ccxt.markets or {}).get(symbol)
        if market is None:
            return None
        known = self._terms.get(symbol)
        if known is None or known[0] is not market:
            known = self._terms[symbol] = market, _terms_of(market, self._ccxt.precisionMode)
        return known[1]

    def precision_errors(self, payload: CreatePayload | EditPayload) -> list[str]:
        """Return an error for each number that ccxt would round, with the step that it must be a multiple of.

        Empty for a symbol that the exchange does not have.
        """
        terms = self.terms(payload.symbol)
        return [] if terms is None else list(precision_errors(terms, payload))


def _terms_of(market: dict[str, Any], mode: int) -> MarketTerms:
    is_contract, precision = bool(market.get("contract")), market["precision"]
    price, amount = (_precision(precision.get(name), mode) for name in ("price", "amount"))
    limits = market.get("limits") or {}
    return MarketTerms(
        base=market.get("base") or "",
        quote=market.get("quote") or "",
        is_contract=is_contract,
        contract_size=(_above_0(market.get("contractSize")) if is_contract else None) or Decimal(1),
        is_inverse=bool(market.get("inverse")),
        tick_size=price if isinstance(price, Decimal) else None,
        amount_step=amount if isinstance(amount, Decimal) else None,
        cost_step=_cost_step(market, mode),
        price_digits=price if isinstance(price, int) else None,
        amount_digits=amount if isinstance(amount, int) else None,
        min_amount=_above_0((limits.get("amount") or {}).get("min")),
        min_cost=_above_0((limits.get("cost") or {}).get("min")),
    )


def _cost_step(market: dict[str, Any], mode: int) -> Decimal | None:
    precision, info = market["precision"], market["info"]
    # Some exchanges list their markets as arrays; KuCoin alone names a step that ccxt leaves out.
    further = info.get("quoteIncrement") if isinstance(info, dict) else None
    size = next((step for step in (precision.get("cost"), precision.get("quote"), further) if step is not None), None)
    step = _precision(size, mode)
    return step if isinstance(step, Decimal) else None


def _precision(size: Any, mode: int) -> Decimal | int | None:
    """Return the step in which an exchange counts, or how many significant digits it takes; None if it says neither."""
    if size is None:
        return None
    if mode == SIGNIFICANT_DIGITS:
        return int(size)
    return _above_0(size) if mode == TICK_SIZE else Decimal(1).scaleb(-int(size))


def _above_0(size: Any) -> Decimal | None:
    """Return a number of ccxt's with its digits; None if there is none, or 0, by which exchanges say none."""
    number = None if size is None else Decimal(str(size))
    return plain(number) if number is not None and number.is_finite() and number > 0 else None
