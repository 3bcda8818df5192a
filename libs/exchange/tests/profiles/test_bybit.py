"""Bybit's own way."""

from collections.abc import Callable
from typing import Any

import pytest
from ccxt.base.errors import ArgumentsRequired, OrderNotFound

from millrace_exchange.profiles.bybit import PROFILE

CLIENT_ORDER_ID_FORM = r"[A-Za-z0-9_-]{1,36}"
EDIT_PARAMETER = "orderLinkId"


async def test_ccxt_asks_for_an_order_only_with_the_option_set(recorded: Callable[..., Any]) -> None:
    """Without the profile's option ccxt refuses to ask; with it, it asks by our id."""
    refusing, asking = recorded("bybit"), recorded("bybit", dict(PROFILE.ccxt_options))
    with pytest.raises(ArgumentsRequired):
        await refusing.ccxt.fetch_order("", refusing.symbol, refusing.params)
    with pytest.raises(OrderNotFound):
        await asking.ccxt.fetch_order("", asking.symbol, asking.params)
    assert "orderLinkId" in asking.sent_ids


def test_a_duplicate_is_an_earlier_attempt() -> None:
    """An id that is taken shows that the order may be there."""
    assert {rule.code for rule in PROFILE.error_rules if rule.outcome == "unknown"} == {"110072", "170141"}
