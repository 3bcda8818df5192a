"""Cancels the open orders of a strategy that was stopped for exceeding a limit.

The orders are found in Redis, so that this works in the strategy's process as well as after that was killed.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from millrace_bus import Bus, BusError
from millrace_core.clock import now_ms
from millrace_core.ids import new_request_id
from millrace_core.names import Action, ExchangeId, Symbol
from millrace_core.orders import OrderKey
from millrace_core.requests import CancelOrder, CancelPayload
from millrace_magicbox.plan import StrategyPlan

PAUSES_S: Final = (0.0, 1.0, 5.0)
"""Before each search: requests that were under way at the first may have made orders later, while they were valid."""
TRADED: Final = (Action("createOrder"), Action("editOrder"), Action("watchOrders"))
"""Streams that show in which symbols a tenant has orders."""


async def cancel_open_orders(bus: Bus, plan: StrategyPlan, report: Callable[[BusError], None]) -> None:
    """Ask the executor to cancel each open order of a strategy, and again those that are still open later.

    Returns after about 6 s; an outage of Redis is waited out. `report` is called with what Redis refuses.
    """
    for pause_s in PAUSES_S:
        await asyncio.sleep(pause_s)
        try:
            for order in await _open_orders(bus, plan):
                await bus.requests.send(plan.tenant, _cancellation(order, plan.name))
        except BusError as error:
            report(error)


def _cancellation(order: OrderKey, source: str) -> CancelOrder:
    payload = CancelPayload(symbol=order.symbol, order_id=order.id, order_source=source)
    return CancelOrder(exchange_id=order.exchange, request_id=new_request_id(), requested_at=now_ms(), payload=payload)


async def _open_orders(bus: Bus, plan: StrategyPlan) -> list[OrderKey]:
    """Return a strategy's open orders, in all symbols that it subscribes to or that its tenant has lately traded."""
    pairs = {(stream.exchange, stream.symbol) for stream in plan.streams}
    pairs |= {(name.exchange, name.symbol) for name in await bus.stream_names([plan.tenant]) if name.action in TRADED}
    found = await asyncio.gather(
        *(_open_in(bus, plan, exchange, symbol) for exchange, symbol in sorted(pairs, key=str) if symbol is not None)
    )
    return [key for keys in found for key in keys]


async def _open_in(bus: Bus, plan: StrategyPlan, exchange: ExchangeId, symbol: Symbol) -> list[OrderKey]:
    ids = sorted(await bus.orders.open_ids(plan.tenant, exchange, symbol))
    get = (bus.orders.get(plan.tenant, each, exchange=exchange, symbol=symbol) for each in ids)
    records = [record for record in await asyncio.gather(*get) if record is not None]
    return [
        OrderKey(exchange, symbol, record.order.id)
        for record in records
        if record.order_source == plan.name and not record.order.is_final
    ]
