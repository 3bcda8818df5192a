"""An account's commission rates in Binance's format."""

from __future__ import annotations

from typing import Any

from millrace_simulator.venue import Account, decimal_text

NONE = "0.00000000"


def commission_rates(account: Account) -> dict[str, Any]:
    """Return the account's rates: what it pays as maker and taker, nothing special, no tax, no discount."""
    return {
        "standardCommission": {
            "maker": decimal_text(account.maker_rate),
            "taker": decimal_text(account.taker_rate),
            "buyer": NONE,
            "seller": NONE,
        },
        "specialCommission": {"maker": NONE, "taker": NONE, "buyer": NONE, "seller": NONE},
        "taxCommission": {"maker": NONE, "taker": NONE, "buyer": NONE, "seller": NONE},
        "discount": {
            "enabledForAccount": False,
            "enabledForSymbol": False,
            "discountAsset": "BNB",
            "discount": NONE,
        },
    }
