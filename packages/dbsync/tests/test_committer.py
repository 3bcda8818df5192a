import json
from typing import Any

from millrace_bus import Bus
from millrace_core.ids import MessageId
from millrace_core.names import Tenant

NAME = "stream.Ann.binance.watchOrders.KCS/USDT"


async def test_what_the_database_refuses_goes_to_dead_letters_and_its_neighbours_are_stored(
    dbsync: Any, bus: Bus, feed: Any
) -> None:
    """Messages that are understood and yet cannot be stored are found among many, and kept with the reason."""
    refused = {4: {"timestamp": 2**70}, 9: {"filled": "NaN"}}
    for number in range(1, 13):
        order = {"id": str(number % 3), "symbol": "KCS/USDT", "filled": number} | refused.get(number, {})
        message = {"id": f"1-{number}", "type": "delta", "timestamp": 1, "trace": {}, "data": {"orders": [order]}}
        await bus._publishing.call("XADD", NAME, f"1-{number}", "data", json.dumps(message))
    await bus.register_journals(Tenant("Ann"), NAME)
    last = feed.write(10)
    await dbsync.start()
    await dbsync.reached(NAME, MessageId(1, 12))
    await dbsync.reached(feed.trades.name, last)
    assert await dbsync.stored(NAME, "dead_letters") == [MessageId(1, number) for number in refused]
    kept = [MessageId(1, number) for number in range(1, 13) if number not in refused]
    assert await dbsync.stored(NAME, "order_events") == kept
    reasons = [reason for (reason,) in await dbsync.rows.fetch("SELECT reason FROM dead_letters")]
    assert all(reason.startswith("the database rejected the message: ") for reason in reasons)
