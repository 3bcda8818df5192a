"""Which wallet an account's balances are of: most exchanges keep money for spot markets and contracts apart. Pure."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from millrace_core.instrument import Instrument
from millrace_core.names import ExchangeId
from millrace_exchange.profiles import profile_of

Wallet = Literal["spot markets", "linear contracts", "inverse contracts"]
"""What a wallet's money is for."""

_UNIFIED: Final = ("uta", "unified", "unifiedAccount", "portfolioMargin", "papi")
"""ccxt's options that say that the account has one wallet for all."""
_SPOT: Final = frozenset({"spot", "margin"})
_INVERSE: Final = frozenset({"inverse", "delivery"})


def wallet_asked_for(exchange_id: str, options: Mapping[str, Any]) -> Wallet | None:
    """Return whose money an account with ccxt's `options` is asked for; None if there is one wallet for all."""
    covered = profile_of(ExchangeId(exchange_id)).balances
    if covered == "account" or any(options.get(name) for name in _UNIFIED):
        return None
    kind = _kind(options) or covered
    if kind in _SPOT:
        return "spot markets"
    is_inverse = kind in _INVERSE or options.get("defaultSubType") == "inverse"
    return "inverse contracts" if is_inverse else "linear contracts"


def wallet_of(symbol: str) -> Wallet:
    """Return whose money a market trades with, where each kind has a wallet of its own."""
    traded = Instrument.of(symbol)
    if traded.settle is None:
        return "spot markets"
    return "inverse contracts" if traded.is_inverse else "linear contracts"


def _kind(options: Mapping[str, Any]) -> str | None:
    of_balances = options.get("fetchBalance")
    named = of_balances.get("defaultType") or of_balances.get("type") if isinstance(of_balances, Mapping) else None
    found = named or options.get("defaultType")
    return found if isinstance(found, str) else None
