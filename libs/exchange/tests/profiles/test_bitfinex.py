"""Bitfinex's own way."""

from collections.abc import Callable
from typing import Any

import pytest
from ccxt.base.errors import InvalidOrder

from millrace_exchange.profiles.bitfinex import PROFILE


def test_our_id_is_a_number_of_45_bits() -> None:
    """Bitfinex takes nothing else; ccxt hands on what it is given."""
    ids = PROFILE.client_order_ids
    assert ids.params(ids.of("f" * 32)) == {"clientOrderId": 2**45 - 1}  # type: ignore[arg-type]


async def test_ccxt_cannot_cancel_by_our_id_alone(recorded: Callable[..., Any]) -> None:
    """The day of the order would be needed too."""
    exchange = recorded("bitfinex")
    with pytest.raises(InvalidOrder):
        await exchange.ccxt.cancel_order("", exchange.symbol, exchange.params)
