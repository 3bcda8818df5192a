"""An order that ended has ended, whatever the exchange calls the reason."""

from collections.abc import Callable
from copy import copy
from typing import Any, Final

import pytest
from libs.exchange.tests.answers.conftest import Account
from libs.exchange.tests.answers.records import RECORDS
from libs.exchange.tests.answers.server import ScriptedServer
from libs.exchange.tests.answers.test_missing_fields import fetch_order, outcome_of

from millrace_core.orders import Order

ENDED: Final[list[tuple[str, Any, str, str]]] = [
    ("gate", "finish_as", "stp", "canceled"),
    ("gate", "finish_as", "poc", "canceled"),
    ("bitfinex", 13, "POSTONLY CANCELED", "canceled"),
    ("bitfinex", 13, "IOC CANCELED was: PARTIALLY FILLED @ 20.5(-4)", "canceled"),
    ("hitbtc", "status", "expired", "expired"),
]


@pytest.mark.parametrize(("exchange", "field", "said", "status"), ENDED)
async def test_an_order_that_ended_for_a_reason_of_its_own_is_final(
    exchange: str, field: Any, said: str, status: str, server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """Ccxt passes such a status on as it is: nobody would ever learn that the order is open no more."""
    ours, record = account(exchange), copy(RECORDS[exchange].order)
    ours.knows = False
    record[field] = said
    order = await outcome_of(ours, server, fetch_order, RECORDS[exchange].one(record))
    assert isinstance(order, Order), order
    assert order.status == status


async def test_an_order_whose_time_to_be_canceled_came_is_final(
    server: ScriptedServer, account: Callable[[str], Account]
) -> None:
    """Hyperliquid cancels the orders of an account that set a time for it."""
    ours, row = account("hyperliquid"), RECORDS["hyperliquid"].order
    ours.knows = False
    ours.ccxt.set_markets([ours.market(ours.symbol, "@1")])
    said = {"status": "order", "order": {"order": row, "status": "scheduledCancel", "statusTimestamp": 1}}
    order = await outcome_of(ours, server, fetch_order, said)
    assert isinstance(order, Order), order
    assert order.status == "canceled"
