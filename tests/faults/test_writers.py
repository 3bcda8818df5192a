"""Several writers of one order's hash; MILLRACE_ORDER_UPDATES says how many updates, 10,000 for a campaign."""

import os
from pathlib import Path

from redis.asyncio import Redis
from tests.faults.hashes import wrong_hashes
from tests.faults.writers import TENANT, traded, written
from tests.support.exchanges import EXCHANGES

from millrace_bus import Bus, EmbeddedServer
from millrace_core.names import ExchangeId, Symbol

UPDATES = int(os.environ.get("MILLRACE_ORDER_UPDATES", "600"))


async def test_writers_that_shuffle_updates_leave_what_the_exchange_has(tmp_path: Path) -> None:
    """Every status and fill is the exchange's, what is open is in the set, and the source is kept."""
    reports, orders = traded(UPDATES, seed=5)
    assert any(report.order.filled and report.order.status == "open" for report in reports), "none is filled in part"
    async with (
        await EmbeddedServer.start(tmp_path) as server,
        Redis.from_url(server.url) as client,
        Bus.connect(server.url, name="test") as bus,
    ):
        await written(server.url, reports, seed=5)
        assert await wrong_hashes(client, EXCHANGES["binance"], orders, lost_ms=0) == []
        open_ids = await bus.orders.open_ids(TENANT, ExchangeId("binance"), Symbol("KCS/USDT"))
        assert open_ids == {str(order.order_id) for order in orders if order.status.is_open}
        for order in orders:
            record = await bus.orders.get(TENANT, str(order.order_id))
            assert record is not None
            assert (record.order_source, record.order.remaining) == ("PingPong", order.remaining)
