"""Exchange information: symbols, their rules, and the limits."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from millrace_simulator.binance import errors
from millrace_simulator.binance.exchange import Exchange, PublicOperation
from millrace_simulator.binance.filters import filters
from millrace_simulator.binance.operations import symbols
from millrace_simulator.binance.parameters import Parameters
from millrace_simulator.venue import Instrument, decimal_text

PERMISSION_SETS = (("SPOT",),)
PRECISION = 8


def exchange_info(exchange: Exchange, parameters: Parameters) -> dict[str, Any]:
    """Return limits and the rules of one symbol, of several, or of all with the given permission or status."""
    chosen = _choose(exchange, parameters)
    show_sets = parameters.boolean("showPermissionSets", default=True)
    return {
        "timezone": "UTC",
        "serverTime": exchange.now(),
        "rateLimits": [rule.shown() for rule in exchange.limits.rules],
        "exchangeFilters": [],
        "symbols": [_show(instrument, show_sets) for instrument in chosen],
    }


def _choose(exchange: Exchange, parameters: Parameters) -> list[Instrument]:
    named = symbols.named(exchange, parameters)
    permissions = parameters.names("permissions")
    fits = symbols.has_status(parameters)
    if named is not None:
        if permissions is not None or "symbolStatus" in parameters:
            raise errors.bad_combination()
        return [named] if isinstance(named, Instrument) else named
    if not fits or (permissions is not None and "SPOT" not in permissions):
        return []
    return list(exchange.venue.instruments.values())


def _show(instrument: Instrument, show_sets: bool) -> dict[str, Any]:
    rules = instrument.rules
    return {
        "symbol": rules.symbol,
        "status": symbols.status(instrument),
        "baseAsset": rules.base,
        "baseAssetPrecision": PRECISION,
        "quoteAsset": rules.quote,
        "quotePrecision": PRECISION,
        "quoteAssetPrecision": PRECISION,
        "baseCommissionPrecision": PRECISION,
        "quoteCommissionPrecision": PRECISION,
        "orderTypes": list(rules.order_types),
        "icebergAllowed": False,
        "ocoAllowed": True,
        "otoAllowed": True,
        "opoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": True,
        "amendAllowed": True,
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [_show_filter(rule) for rule in filters(rules)],
        "permissions": [],
        "permissionSets": PERMISSION_SETS if show_sets else [],
        "defaultSelfTradePreventionMode": rules.default_self_trade_mode,
        "allowedSelfTradePreventionModes": list(rules.self_trade_modes),
    }


def _show_filter(rule: msgspec.Struct) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(rule, builtin_types=(Decimal,))
    return {name: _show_number(name, value) for name, value in shown.items()}


def _show_number(name: str, value: Any) -> Any:
    if not isinstance(value, Decimal):
        return value
    # Multipliers are the one kind of number that Binance prints without the padding.
    return format(value, "f") if "ultiplier" in name else decimal_text(value)


EXCHANGE_INFO = PublicOperation(
    exchange_info, weight=20, takes=("symbol", "symbols", "permissions", "showPermissionSets", "symbolStatus")
)
