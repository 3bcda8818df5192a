"""OKX's own way."""

from collections.abc import Callable
from typing import Any

CLIENT_ORDER_ID_FORM = r"[A-Za-z0-9]{1,32}"
EDIT_PARAMETER = "clOrdId"


async def test_an_edit_names_the_order_that_it_changes(recorded: Callable[..., Any]) -> None:
    """Our id is that of the order that stands there, so a new one must not be given."""
    exchange = recorded("okx")
    await exchange.ccxt.edit_order("1", exchange.symbol, "limit", "buy", 1.0, 10.0, exchange.params)
    [(path, sent)] = exchange.sent
    assert path == "trade/amend-order"
    assert sent["clOrdId"] == exchange.client_order_id
    assert "ordId" not in sent


def test_a_duplicate_is_an_earlier_attempt(recorded: Callable[..., Any]) -> None:
    """An id that is taken shows that the order may be there."""
    assert {rule.code: rule.outcome for rule in recorded("okx").profile.error_rules} == {"51016": "unknown"}
