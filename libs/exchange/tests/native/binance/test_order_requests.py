"""The requests for orders are those that ccxt makes of the same payloads."""

from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from ccxt.base.errors import BaseError
from libs.exchange.tests.answers.conftest import Account, account_at
from libs.exchange.tests.answers.server import ScriptedServer

from millrace_core.requests import CreatePayload
from millrace_exchange import Rejected
from millrace_exchange.ccxt.order_arguments import create_arguments
from millrace_exchange.native.binance.order_requests import order_request

KINDS = ("LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT")
TERMS: list[dict[str, Any]] = [
    {"type": kind, "side": side, "time_in_force": time_in_force, "post_only": post_only, **size, **trigger}
    for kind, side, time_in_force, post_only, size, trigger in product(
        ("limit", "market"),
        ("buy", "sell"),
        (None, "GTC", "IOC", "FOK", "PO"),
        (False, True),
        ({"amount_base": Decimal("1.2345")}, {"amount_quote": Decimal("0.00005")}),
        ({}, {"trigger_price": Decimal("24000.5")}),
    )
    if (kind == "market" or "amount_base" in size) and (kind, time_in_force) != ("market", "PO")
]


def ccxts_request(account: Account, payload: CreatePayload) -> dict[str, Any] | None:
    """Return what ccxt would send; None if it refuses."""
    arguments = create_arguments(account.profile, payload, "ours", is_spot=True)
    try:
        request: dict[str, Any] = account.ccxt.create_order_request(*arguments)
    except BaseError:
        return None
    # It lays the parameters over the request.
    request |= {name: arguments.params[name] for name in ("quoteOrderQty",) if name in arguments.params}
    return {name: str(value) for name, value in request.items()}


def our_request(account: Account, payload: CreatePayload) -> dict[str, Any] | None:
    """Return what we send; None if we refuse."""
    arguments = create_arguments(account.profile, payload, "ours", is_spot=True)
    try:
        request = order_request(account.profile, account.ccxt.markets[payload.symbol], arguments)
    except Rejected:
        return None
    return {name: str(value) for name, value in request.items()}


@pytest.mark.parametrize("kinds", [KINDS, ("LIMIT", "MARKET", "LIMIT_MAKER")])
async def test_every_order_is_requested_as_ccxt_requests_it(kinds: tuple[str, ...]) -> None:
    """Of each type, size and flag; what ccxt refuses is refused, and so is what a market has not."""
    async with ScriptedServer() as server:
        account = account_at("binance", server)
        account.ccxt.markets["BTC/USDT"]["info"]["orderTypes"] = list(kinds)
        for terms in TERMS:
            payload = CreatePayload(symbol="BTC/USDT", price=Decimal("25000.10"), params={"strategyId": 7}, **terms)
            try:
                expected = ccxts_request(account, payload)
            except Rejected:
                continue  # Before either is asked.
            assert our_request(account, payload) == expected, terms
        await account.close()
