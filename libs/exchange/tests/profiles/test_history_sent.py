"""What leaves for the past of an account, for each exchange."""

from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from typing import Any

import pytest
from libs.exchange.tests.profiles.test_orders_sent import Client

from millrace_exchange import ExchangeError
from millrace_exchange.profiles import profiles


def _has_its_own(name: str) -> bool:
    """Tell whether a profile is not that of another exchange under a further name."""
    return find_spec(f"millrace_exchange.profiles.{name}") is not None


BY_DEFAULT = {
    ("hyperliquid", "closed_orders"),
    ("hyperliquid", "own_trades"),
    ("kraken", "closed_orders"),
    ("kraken", "own_trades"),
    ("kucoinfutures", "closed_orders"),
    ("okx", "own_trades"),
}
"""Where the exchange answers with as many rows as the profile says without being told, and ccxt does not tell it."""
NAMES = {"htx": ("size",), "kucoinfutures": ("pageSize",)}
"""How exchanges name the number."""


@pytest.mark.parametrize("what", ["closed_orders", "own_trades"])
@pytest.mark.parametrize("name", sorted(filter(_has_its_own, profiles())))
async def test_as_many_rows_asked_as_make_an_answer_full(recorded: Callable[..., Any], name: str, what: str) -> None:
    """An exchange that sends fewer would seem to have sent all; it knows the number by its own name alone."""
    exchange = recorded(name)
    client, since_ms = Client(exchange), 1_790_000_000_000
    ask = client.fetch_closed_orders if what == "closed_orders" else client.fetch_my_trades
    with suppress(ExchangeError):
        await ask(exchange.symbol, since_ms)
    page = getattr(exchange.profile.history, what).page
    assert exchange.sent
    asked = all(page in {params.get(each) for each in NAMES.get(name, ("limit",))} for _, params in exchange.sent)
    assert asked == ((name, what) not in BY_DEFAULT)


@pytest.mark.parametrize("name", sorted(filter(_has_its_own, profiles())))
async def test_no_trades_of_an_account_are_taken_for_a_markets(recorded: Callable[..., Any], name: str) -> None:
    """Where an exchange has no request for a market's trades, ccxt's `fetch_trades` returns the account's own."""
    exchange = recorded(name)
    with suppress(Exception):
        await exchange.ccxt.fetch_trades(exchange.symbol)
    assert exchange.sent
    is_of_account = any(exchange.ccxt.walletAddress in params.values() for _, params in exchange.sent)
    assert is_of_account != exchange.profile.history.answers_public_trades
