"""Orders in Redis, each the join of what every source reported of it. See docs/protocol.md, "Orders"."""

import asyncio
import logging
from collections.abc import Iterable

from millrace_bus.connection.calls import Calls
from millrace_bus.connection.connection import CommandPart
from millrace_bus.errors import CommandRefused
from millrace_bus.orders.merger import UNREADABLE_HASH, OrderMerger
from millrace_bus.orders.order_hash import is_of, keys_of, place, read_record
from millrace_core.names import ExchangeId, Symbol, Tenant, full_order_key, open_orders_key, order_key, orders_key
from millrace_core.orders import OrderRecord

_log = logging.getLogger(__name__)


class OrderHashes:
    """Order hashes and their indexes; reached as `bus.orders`. Every call waits out an outage of Redis."""

    def __init__(self, merger: OrderMerger, calls: Calls) -> None:
        self._merger, self._call = merger, calls.call

    async def merge(self, tenant: Tenant, record: OrderRecord) -> OrderRecord:
        """Join a record with the stored one; return the result. Idempotent, in any order of calls and callers.

        Never with another order that has the same id on another exchange, or in another symbol.

        Raises:
            CommandRefused, UnmergeableOrder, TaskFailed: see `OrderMerger.merge`.
        """
        return await self._merger.merge(tenant, record)

    async def get(
        self, tenant: Tenant, order_id: str, *, exchange: ExchangeId | None = None, symbol: Symbol | None = None
    ) -> OrderRecord | None:
        """Return an order, or None if Redis does not hold it (it is kept for 7 days after it is final).

        Several orders may have the id, on other exchanges or in other symbols: `exchange` and `symbol` select one. With
        neither it is the one stored first.
        """
        if exchange is None:
            return await self._read(order_key(tenant, order_id))
        keys = keys_of(tenant, exchange, symbol, order_id)
        plain, full = await asyncio.gather(self._read(keys.plain), self._read(keys.full))
        return place(keys, plain, full, exchange, symbol)[1]

    async def open_ids(self, tenant: Tenant, exchange: ExchangeId, symbol: Symbol) -> set[str]:
        """Return the ids of the open orders."""
        found = await self._index("SMEMBERS", open_orders_key(tenant, exchange, symbol))
        return {order_id.decode(errors="replace") for order_id in found}

    async def recent(self, tenant: Tenant, exchange: ExchangeId, symbol: Symbol, limit: int = 100) -> list[OrderRecord]:
        """Return the newest orders by creation time, newest first; what cannot be read is passed over."""
        found = await self._index("ZREVRANGE", orders_key(tenant, exchange, symbol), 0, limit - 1)
        ids = (each.decode(errors="replace") for each in found)
        records = await asyncio.gather(*(self._of(tenant, exchange, symbol, each) for each in ids))
        return [record for record in records if record is not None]

    async def _of(self, tenant: Tenant, exchange: ExchangeId, symbol: Symbol, order_id: str) -> OrderRecord | None:
        # The full key is asked for where it is needed only: hardly ever.
        plain = await self._read(order_key(tenant, order_id))
        if plain is not None and is_of(plain, exchange, symbol):
            return plain
        return await self._read(full_order_key(tenant, exchange, symbol, order_id))

    async def _index(self, command: str, key: str, *bounds: CommandPart) -> Iterable[bytes]:
        try:
            found: Iterable[bytes] = await self._call(command, key, *bounds)
        except CommandRefused as refused:
            _pass_over(key, refused)
            return ()
        return found

    async def _read(self, key: str) -> OrderRecord | None:
        try:
            return read_record(await self._call("HGETALL", key))
        except CommandRefused as refused:
            _pass_over(key, refused)
        except UNREADABLE_HASH as error:
            _log.warning("%s is passed over: it cannot be read: %s", key, error)
        return None


def _pass_over(key: str, refused: CommandRefused) -> None:
    if refused.code != "WRONGTYPE":
        raise refused
    _log.warning("%s is passed over: %s", key, refused)
