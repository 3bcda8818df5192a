"""The API while Redis refuses: 503 with the reason, never 500, and never 202 for what was certainly not sent."""

from typing import Any

import redis.asyncio

from millrace_core.names import Tenant

ORDER = {
    "exchangeId": "binance",
    "payload": {"symbol": "KCS/USDT", "side": "buy", "type": "limit", "amountBase": 1, "price": 5},
}


async def test_what_redis_refuses_is_unavailable(mortal: Any, tenant: Tenant) -> None:
    """A halt and an order while it is out of memory; the order's key is free again."""
    api, server = mortal
    async with api.client(await api.token(tenant)) as client, redis.asyncio.Redis.from_url(server.url) as raw:
        await raw.config_set("maxmemory", 1)
        for path, body in (("/api/v1/halts", {"reason": "stop"}), ("/api/v1/orders", ORDER)):
            answer = await client.post(path, json=body)
            assert answer.status_code == 503
            assert "OOM" in answer.json()["detail"]


async def test_agents_are_listed_whatever_the_index_holds(mortal: Any, tenant: Tenant) -> None:
    """An id that is not UTF-8 hides no agent."""
    api, server = mortal
    async with api.client(await api.token(tenant)) as client, redis.asyncio.Redis.from_url(server.url) as raw:
        await raw.sadd("index.agents", b"\xff")
        assert (await client.get("/api/v1/agents")).status_code == 200
