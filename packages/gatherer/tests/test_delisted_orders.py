"""Orders in a market that the exchange delisted while no gatherer ran."""

from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from millrace_bus import Bus
from millrace_core.clock import now_ms
from millrace_core.names import ExchangeId, Symbol, Tenant
from millrace_core.orders import Order, OrderRecord
from millrace_simulator.server import Server

OWN = Symbol("KCS/USDT")
TENANT, BINANCE = Tenant("T"), ExchangeId("binance")
HOUR_MS = 3_600_000


@pytest.mark.parametrize("symbols", [[OWN], ["*/USDT"]])
async def test_orders_in_a_market_that_was_delisted_meanwhile_are_open_no_more(
    configure: Any, read: Any, bus: Bus, simulator: Server, gatherers: Any, monkeypatch: Any, symbols: list[str]
) -> None:
    """Nothing streams their end, and no question about the market is answered: the account's list has them no more."""
    monkeypatch.setattr("millrace_gatherer.streams.following.REFUSED_PAUSE_S", 0.2)
    orders = read("watchOrders", OWN)
    await configure(symbols, ["watchOrders"])
    async with gatherers():
        await orders.until(lambda r: r.follower.status == "live")
    for number, filled in (("70000001", Decimal(0)), ("70000002", Decimal(2))):
        opened = Order(id=number, symbol=OWN, status="open", filled=filled, amount=Decimal(3))
        await bus.orders.merge(TENANT, OrderRecord(opened, BINANCE, now_ms() - HOUR_MS, "James", "0" * 32))
    async with aiohttp.ClientSession(simulator.url) as session:
        await session.delete("/simulator/symbols?symbol=KCSUSDT")
    async with gatherers():
        gone = "binance lists KCS/USDT no more"
        said = f"{gone}, and does not say what became of 2 orders that were open there"
        await orders.until(lambda r: ("stale", said) in r.statuses())
        await orders.until(lambda r: ("stale", gone) in r.statuses())
    assert await bus.orders.open_ids(TENANT, BINANCE, OWN) == set()
    last = await bus.orders.get(TENANT, "70000002", exchange=BINANCE, symbol=OWN)
    assert last is not None
    assert (last.order.status, last.order.filled, last.order_source) == ("expired", 2, "James")
    ended = {order.id: order.status for delta in orders.deltas() for order in delta.orders}
    assert ended == {"70000001": "expired", "70000002": "expired"}
