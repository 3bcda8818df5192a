"""A strategy that two magicboxes are to run trades once."""

from pathlib import Path
from typing import Any

import pytest

from millrace_bus import Bus
from millrace_bus.writing import writer
from millrace_core.requests import CancelOrder, CreateOrder

EXAMPLES = Path(__file__).parents[3] / "examples" / "strategies"
PING_PONG = {"pluginName": "PingPong", "configuration": {"amount": 2, "maximumThresholdMs": 300, "backoffMs": 20}}


async def next_order(venue: Any) -> CreateOrder:
    """Wait for the next request for an order; one to cancel may be repeated before."""
    while not isinstance(request := await venue.next_request(), CreateOrder):
        assert isinstance(request, CancelOrder)
    return request


async def test_the_magicbox_that_begins_last_trades_alone(
    magicbox: Any, venue: Any, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The former one stands by: it sends nothing, cancels nothing, and goes on once the other is gone."""
    magicbox.folder = EXAMPLES
    monkeypatch.setattr(writer, "STANDBY_QUIET_S", 0.6)
    await magicbox.start(PING_PONG)
    venue.tell_book(9.98, 10.03)
    first = await venue.next_request()
    order = venue.order_of(first, "77")
    await venue.answer(first, order)
    other = magicbox.beside("MAGICBOX-2")
    await other.start(PING_PONG)
    try:
        assert "another magicbox" in (await magicbox.unit_in_state("PingPong", "standby")).detail
        # What both wanted before the fence was noticed was canceled; from here on one of them acts.
        await venue.tell_order(order, status="canceled")
        for order_id in ("78", "79"):
            request = await next_order(venue)
            order = venue.order_of(request, order_id)
            await venue.answer(request, order)
            await venue.tell_order(order)
            assert isinstance(await venue.next_request(), CancelOrder)
            await venue.tell_order(order, status="canceled")
    finally:
        await other.stop()
    await magicbox.unit_in_state("PingPong", "live")
