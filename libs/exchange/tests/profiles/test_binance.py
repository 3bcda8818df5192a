"""Binance spot's own way."""

from collections.abc import Callable
from typing import Any

import pytest

from millrace_exchange.profiles.binance import PROFILE

CLIENT_ORDER_ID_FORM = r"[A-Za-z0-9_-]{1,36}"
EDIT_PARAMETER = "newClientOrderId"


def test_absence_proves_nothing_for_fifteen_seconds() -> None:
    """A request is valid for 5 s, and the matching engine is given up on after 10."""
    assert PROFILE.settlement_window_ms == 15_000


def test_what_cancel_replace_failed_with_says_what_was_done() -> None:
    """After -2021 one half was done, after -2022 neither; a duplicate's code -2010 is left to its text."""
    outcomes = {rule.code: rule.outcome for rule in PROFILE.error_rules}
    assert (outcomes["-2021"], outcomes["-2022"]) == ("unknown", "rejected")
    assert "-2010" not in outcomes


async def test_an_edit_names_the_new_order(recorded: Callable[..., Any]) -> None:
    """The new order of a cancel-replace carries our id, and the whole amount that is given."""
    exchange = recorded("binance")
    await exchange.ccxt.edit_order("1", exchange.symbol, "limit", "buy", 1.0, 10.0, exchange.params)
    [(path, sent)] = exchange.sent
    assert path == "order/cancelReplace"
    assert sent["newClientOrderId"] == exchange.client_order_id
    assert float(sent["quantity"]) == 1


def test_snapshots_have_as_many_levels_as_ccxt_asks_for(recorded: Callable[..., Any]) -> None:
    """The edge of what is known lies where ccxt's snapshot ends."""
    assert recorded("binance").ccxt.options["watchOrderBookLimit"] == PROFILE.book.snapshot_levels


@pytest.mark.parametrize(
    ("params", "path"),
    [
        (PROFILE.history.public_trades_params, "trades"),
        (PROFILE.history.public_trades_after_params, "historicalTrades"),
    ],
)
async def test_public_trades_are_not_aggregated(params: Any, path: str, recorded: Callable[..., Any]) -> None:
    """Trades are asked for under the ids that the stream has."""
    exchange = recorded("binance")
    exchange.answer = []
    await exchange.ccxt.fetch_trades(exchange.symbol, None, 10, dict(params))
    assert [asked for asked, _ in exchange.sent] == [path]
