"""Orders in Redis, each the join of what every source said of it. See docs/protocol.md, "Orders"."""

from millrace_core.names import ExchangeId, Symbol, Tenant
from millrace_core.orders import OrderRecord


class Orders:
    """Order hashes and their indexes; reached as `bus.orders`. Every call waits out an outage of Redis."""

    async def merge(self, tenant: Tenant, record: OrderRecord) -> OrderRecord:
        """Join a record with what is there; give the result. Idempotent, in any order of calls and callers."""
        raise NotImplementedError

    async def get(self, tenant: Tenant, order_id: str) -> OrderRecord | None:
        """Give an order; None where Redis knows none, or no longer (7 days after it was final)."""
        raise NotImplementedError

    async def open_ids(self, tenant: Tenant, exchange: ExchangeId, symbol: Symbol) -> set[str]:
        """Give the ids of the open orders."""
        raise NotImplementedError

    async def recent(self, tenant: Tenant, exchange: ExchangeId, symbol: Symbol, limit: int = 100) -> list[OrderRecord]:
        """Give the newest orders by creation time, newest first."""
        raise NotImplementedError
