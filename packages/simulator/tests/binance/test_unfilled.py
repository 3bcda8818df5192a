"""Unfilled orders: those that trade return their place, as Binance documents by example."""

from decimal import Decimal
from typing import Any

import pytest

from millrace_matching import Side
from millrace_simulator.config import Limits

pytestmark = pytest.mark.asyncio(loop_scope="session")
RESTING = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "1", "price": "6"}


async def count(client: Any) -> int:
    """How many orders count now."""
    return int((await client.signed("GET", "/api/v3/rateLimit/order")).body[0]["count"])


@pytest.mark.parametrize("limits", [Limits()])
async def test_an_order_that_takes_does_not_count(limited: Any) -> None:
    """Resting orders count, a filled one does not; cancelling changes nothing."""
    await limited.order(**RESTING)
    await limited.order(side="BUY", type="MARKET", quantity="1")
    assert await count(limited) == 1
    await limited.signed("DELETE", "/api/v3/openOrders", symbol="KCSUSDT")
    assert await count(limited) == 1


@pytest.mark.parametrize("limits", [Limits()])
async def test_a_maker_order_is_credited_more(limited: Any) -> None:
    """The first fill as a maker takes five off the count, which does not fall below zero."""
    best = (await limited.get("/api/v3/ticker/bookTicker", symbol="KCSUSDT")).body
    inside = str(Decimal(best["bidPrice"]) + Decimal("0.001"))
    await limited.order(side="BUY", type="LIMIT_MAKER", quantity="1", price=inside)
    await limited.order(**RESTING)
    assert await count(limited) == 2
    venue = limited.server.venue
    instrument = venue.instrument("KCSUSDT")
    venue.crowd_submit(instrument, Side.SELL, instrument.scale.lots(Decimal(1)), None)
    assert await count(limited) == 0


@pytest.mark.parametrize("limits", [Limits()])
async def test_a_refused_order_does_not_count(limited: Any) -> None:
    """Only successful requests count; a cancel-replace counts even where it placed nothing."""
    await limited.order(**{**RESTING, "price": "6.00001"})
    assert await count(limited) == 0
    replace = {"cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrderId": 1}
    await limited.signed("POST", "/api/v3/order/cancelReplace", symbol="KCSUSDT", **RESTING, **replace)
    assert await count(limited) == 1
