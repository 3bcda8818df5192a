"""KuCoin's own way, spot and futures."""

from collections.abc import Callable
from typing import Any

import pytest

from millrace_core.clock import DAY_MS
from millrace_exchange.profiles import kucoin, kucoinfutures

CLIENT_ORDER_ID_FORM = r"[A-Za-z0-9_-]{1,40}"
EDIT_PARAMETER = "clientOid"


@pytest.mark.parametrize("profile", [kucoin.PROFILE, kucoinfutures.PROFILE])
def test_history_is_asked_for_week_by_week(profile: Any) -> None:
    """One answer covers 7 days at most."""
    assert profile.history.own_trades.width_ms == 7 * DAY_MS


async def test_an_edit_names_the_order_that_it_replaces(recorded: Callable[..., Any]) -> None:
    """KuCoin places a new order, but ccxt has no name for its id: ours is that of the old one."""
    exchange = recorded("kucoin")
    await exchange.ccxt.edit_order("1", exchange.symbol, "limit", "buy", 1.0, 10.0, exchange.params)
    [(path, sent)] = exchange.sent
    assert path == "hf/orders/alter"
    assert sent["clientOid"] == exchange.client_order_id
    assert "orderId" not in sent


async def test_a_public_book_has_a_hundred_levels(recorded: Callable[..., Any]) -> None:
    """Without keys ccxt asks for as many levels as the profile says."""
    exchange = recorded("kucoin")
    await exchange.ccxt.fetch_order_book(exchange.symbol)
    assert exchange.sent[0][1]["limit"] == kucoin.PROFILE.book.snapshot_levels
