"""Finds a tenant's orders in Redis: the open ones and the newest of each market."""

from collections.abc import Iterable
from typing import NamedTuple

from millrace_bus import Bus
from millrace_core.actions import ORDERS
from millrace_core.names import ExchangeId, Symbol, Tenant
from millrace_core.orders import OrderRecord


class OrderFilter(NamedTuple):
    """Which orders of a tenant are wanted; None for all."""

    exchange: ExchangeId | None = None
    symbol: Symbol | None = None
    source: str | None = None
    only_open: bool = False

    def takes(self, record: OrderRecord) -> bool:
        """Tell whether an order of a wanted market is wanted."""
        return self.source in (None, record.order_source) and not (self.only_open and record.order.is_final)


async def orders(bus: Bus, tenant: Tenant, wanted: OrderFilter, limit: int) -> list[OrderRecord]:
    """Return orders, open ones first and then the newest first."""
    found = [
        record
        for exchange, symbol in await _markets(bus, tenant, wanted)
        for record in await _of_market(bus, tenant, exchange, symbol, wanted, limit)
    ]
    return sorted(found, key=lambda record: (record.order.is_final, -(record.order.timestamp or record.updated)))[
        :limit
    ]


async def _markets(bus: Bus, tenant: Tenant, wanted: OrderFilter) -> Iterable[tuple[ExchangeId, Symbol]]:
    if wanted.exchange is not None and wanted.symbol is not None:
        return [(wanted.exchange, wanted.symbol)]
    # Streams of answers are named by the market as well: an order may have been placed where none are watched.
    return sorted(
        {
            (name.exchange, name.symbol)
            for name in await bus.stream_names([tenant])
            if name.symbol is not None
            and (name.action == ORDERS.name or name.has_answers)
            and wanted.exchange in (None, name.exchange)
            and wanted.symbol in (None, name.symbol)
        }
    )


async def _of_market(
    bus: Bus, tenant: Tenant, exchange: ExchangeId, symbol: Symbol, wanted: OrderFilter, limit: int
) -> list[OrderRecord]:
    ids = await bus.orders.open_ids(tenant, exchange, symbol)
    opened = [await bus.orders.get(tenant, each, exchange=exchange, symbol=symbol) for each in sorted(ids)]
    newest = [] if wanted.only_open else await bus.orders.recent(tenant, exchange, symbol, limit)
    found = {record.order.id: record for record in (*opened, *newest) if record is not None}
    return [record for record in found.values() if wanted.takes(record)]
