"""KuCoin futures' own way; what they share with spot is in `test_kucoin.py`."""

from collections.abc import Callable
from typing import Any

import pytest
from ccxt.base.errors import NotSupported

CLIENT_ORDER_ID_FORM = r"[A-Za-z0-9_-]{1,40}"
SYMBOL = "BTC/USDT:USDT"
EDIT_IS_MISSING = True
"""ccxt's `has` says otherwise, but the class has only the spot method."""


async def test_futures_cannot_be_edited(recorded: Callable[..., Any]) -> None:
    """What ccxt's `has` says is wrong: its method refuses."""
    exchange = recorded("kucoinfutures")
    with pytest.raises(NotSupported):
        await exchange.ccxt.edit_order("1", exchange.symbol, "limit", "buy", 1.0, 10.0)
