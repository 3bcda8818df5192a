"""Cancels the open orders of a strategy that was stopped for exceeding a limit.

The orders are found in Redis, so that this works in the strategy's process as well as after that was killed.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from millrace_bus import Bus, BusError
from millrace_core.clock import now_ms
from millrace_core.ids import new_request_id
from millrace_core.names import Action, ExchangeId, Symbol
from millrace_core.orders import OrderKey
from millrace_core.requests import CancelOrder, CancelPayload
from millrace_magicbox.plan import StrategyPlan
from millrace_service.errors import describe

PAUSES_S: Final = (0.0, 1.0, 5.0)
"""Before each search: requests that were under way at the first may have made orders later, while they were valid."""
DONE_AFTER_S: Final = 5.0
"""How long after the last requests an order is expected to be cancelled."""
VALID_FOR_MS: Final = 60_000
"""The executor may be away for a while, as for a restart, and a cancellation does no harm later."""
MOST_NAMED: Final = 20
"""An error names no more orders than this."""
TRADED: Final = (Action("createOrder"), Action("editOrder"), Action("watchOrders"))
"""Streams that show in which symbols a tenant has orders."""


log = structlog.get_logger()


async def cancel_open_orders(bus: Bus, plan: StrategyPlan, report: Callable[[str], None] | None = None) -> None:
    """Ask the executor to cancel each open order of a strategy, and again those that are still open later.

    Returns after about 11 s; an outage of Redis is waited out. What Redis refuses, and the orders that are open at the
    end, are logged, and passed to `report`.
    """
    for pause_s in PAUSES_S:
        await asyncio.sleep(pause_s)
        try:
            for order in await _open_orders(bus, plan):
                await bus.requests.send(plan.tenant, _cancellation(order, plan.name))
        except BusError as error:
            _report(plan, describe(error), report)
    await asyncio.sleep(DONE_AFTER_S)
    try:
        left = await _open_orders(bus, plan)
    except BusError as error:
        _report(plan, describe(error), report)
    else:
        if left:
            _report(plan, _still_open(left), report)


def _still_open(orders: Sequence[OrderKey]) -> str:
    named = ", ".join(" ".join(order) for order in orders[:MOST_NAMED])
    more = f" and {len(orders) - MOST_NAMED} more" if len(orders) > MOST_NAMED else ""
    return f"may still rest on the exchange, although the executor was asked to cancel them: {named}{more}"


def _report(plan: StrategyPlan, cause: str, report: Callable[[str], None] | None) -> None:
    log.error("an order cannot be cancelled", unit=f"{plan.tenant}.{plan.name}", cause=cause)
    if report is not None:
        report(cause)


def _cancellation(order: OrderKey, source: str) -> CancelOrder:
    payload = CancelPayload(symbol=order.symbol, order_id=order.id, order_source=source)
    return CancelOrder(
        exchange_id=order.exchange,
        request_id=new_request_id(),
        requested_at=now_ms(),
        valid_for=VALID_FOR_MS,
        payload=payload,
    )


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
