"""Compares the hashes of orders with the exchange's own ledger."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec
from redis.asyncio import Redis
from tests.support.exchanges import TradedExchange

from millrace_core.names import Tenant, order_key


async def wrong_hashes(client: Redis, exchange: TradedExchange, orders: Iterable[Any], lost_ms: int) -> list[str]:
    """Return every order whose hash differs. One that ended before Redis lost its data may have none."""
    found = []
    for order in orders:
        text = await client.hget(order_key(Tenant("StrankaXY"), exchange.order_id(order)), "order")
        wanted = exchange.statuses[order.status.name], order.filled
        if text is None:
            if order.status.is_open or order.updated_us // 1000 > lost_ms:
                found.append(f"order {order.order_id}: no hash, and it is {wanted}")
            continue
        known = msgspec.json.decode(text)
        # KuCoin acknowledges an order by its id alone: what is filled of it is not known before the stream says so.
        filled = known.get("filled")
        if (shown := (known.get("status"), None if filled is None else Decimal(str(filled)))) != wanted:
            found.append(f"order {order.order_id}: its hash says {shown}, and it is {wanted}")
    return found
