"""Binance USD-M futures' own way."""

from collections.abc import Callable
from typing import Any

import pytest

from millrace_core.clock import DAY_MS
from millrace_core.config.common import Credentials
from millrace_core.names import ExchangeId
from millrace_exchange.ccxt.exchange import open_ccxt_exchange
from millrace_exchange.profiles import profile_of
from millrace_exchange.profiles.binanceusdm import PROFILE

CLIENT_ORDER_ID_FORM = r"[A-Za-z0-9_.:/-]{1,36}"
EDIT_PARAMETER = "origClientOrderId"
SYMBOL = "BTC/USDT:USDT"


async def test_an_edit_names_the_order_that_it_changes(recorded: Callable[..., Any]) -> None:
    """Our id is that of the order that stands there, so a new one must not be given."""
    exchange = recorded("binanceusdm")
    await exchange.ccxt.edit_order("1", exchange.symbol, "limit", "buy", 1.0, 10.0, exchange.params)
    [(path, sent)] = exchange.sent
    assert path == "order"
    assert sent["origClientOrderId"] == exchange.client_order_id


def test_codes_mean_something_else_than_on_spot() -> None:
    """-2021 leaves an edit on spot half done; here it refuses an order that would trigger at once."""
    futures, spot = ({rule.code: rule.outcome for rule in p.error_rules} for p in (PROFILE, profile_of(SPOT)))
    assert (futures["-2021"], spot["-2021"]) == ("rejected", "unknown")


def test_history_is_asked_for_week_by_week() -> None:
    """One answer covers 7 days at most."""
    assert PROFILE.history.own_trades.width_ms == 7 * DAY_MS


EXPIRED = {"e": "listenKeyExpired", "E": 1736996475556, "listenKey": "x"}


@pytest.mark.parametrize("frame", [EXPIRED, {"stream": "x", "data": EXPIRED}])
async def test_streams_move_once_the_listen_key_is_expired(frame: dict[str, Any]) -> None:
    """The connection stands then, and brings nothing of the account any more; the event may come twice."""
    exchange = await open_ccxt_exchange("binanceusdm", Credentials())
    former = exchange.sessions.current
    client = former.caller.ccxt.client("wss://127.0.0.1/private/ws?listenKey=x")
    for _ in range(2):
        client.on_message_callback(client, frame)
    newest = exchange.sessions.current
    assert (former.ending.done(), newest is former, newest.ending.done()) == (True, False, False)
    await exchange.close()


SPOT = ExchangeId("binance")
