"""Halts by the API: of one's own tenant, and by an operator."""

import asyncio
import json
from typing import Any

import httpx
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from millrace_core.clock import now_ms
from millrace_core.heartbeat import Heartbeat
from millrace_core.names import PUBLIC, AgentId, Tenant, halt_key, trader_actions


@pytest_asyncio.fixture(loop_scope="session")
async def operator(api: Any) -> Any:
    """An operator: an admin of PUBLIC."""
    async with api.client(await api.token(PUBLIC)) as client:
        yield client


async def test_halts_hold_without_an_executor(admin: Any, bus: Any, tenant: Any) -> None:
    """A halt is in Redis when the answer comes; exactly it is lifted again."""
    halted = await admin.post("/api/v1/halts", json={"exchange": "kucoin", "reason": "maintenance"})
    assert halted.status_code == 200
    assert halted.json()["items"][0]["reason"] == "maintenance"
    assert halted.json()["items"][0]["stored"]
    assert [str(scope) for scope in await bus.halts.get(tenant)] == ["kucoin/*"]
    assert (await admin.delete("/api/v1/halts")).status_code == 404
    lifted = await admin.delete("/api/v1/halts", params={"exchange": "kucoin"})
    assert lifted.json() == {"items": []}
    assert not await bus.halts.get(tenant)


async def test_a_halt_asks_the_executor_to_cancel_orders(admin: Any, redis: Any, tenant: Any) -> None:
    """The request in the journal says so; a halt of one source cannot, and halts nothing."""
    refused = await admin.post("/api/v1/halts", json={"orderSource": "PingPong", "cancelOrders": True})
    assert refused.status_code == 422
    assert refused.json()["problems"][0]["path"] == "cancelOrders"
    assert (await admin.get("/api/v1/halts")).json() == {"items": []}
    assert (await admin.post("/api/v1/halts", json={"cancelOrders": True})).status_code == 200
    async with Redis.from_url(redis.url) as raw:
        ((_, fields),) = await raw.xrevrange(trader_actions(tenant), count=1)
    assert json.loads(fields[b"data"])["payload"]["cancelOrders"] is True


async def test_a_halt_is_shown_after_redis_lost_it(admin: Any, redis: Any, tenant: Any) -> None:
    """Nobody must think that trading goes on; lifted, it does not come back."""
    await admin.post("/api/v1/halts", json={"reason": "stop"})
    async with Redis.from_url(redis.url) as raw:
        await raw.delete(halt_key(tenant))
    (shown,) = (await admin.get("/api/v1/halts")).json()["items"]
    assert shown["reason"] == "stop"
    assert (await admin.delete("/api/v1/halts")).json() == {"items": []}
    assert (await admin.get("/api/v1/halts")).json() == {"items": []}


async def test_an_operator_halts_any_tenant(operator: Any, admin: Any, executor: Any, tenant: Any) -> None:
    """By name: the tenant sees the halt and may lift it."""
    halted = await operator.post("/api/v1/halts", json={"tenant": tenant, "reason": "audit"})
    assert [(item["tenant"], item["reason"]) for item in halted.json()["items"]] == [(tenant, "audit")]
    assert (await admin.get("/api/v1/halts")).json() == halted.json()
    assert (await operator.get("/api/v1/halts", params={"tenant": tenant})).json() == halted.json()
    assert halted.json()["items"][0] in (await operator.get("/api/v1/halts")).json()["items"]
    assert (await operator.delete("/api/v1/halts", params={"tenant": tenant})).json() == {"items": []}
    assert (await admin.delete("/api/v1/halts")).status_code == 404


async def test_an_operator_halts_all_tenants(operator: Any, api: Any, bus: Any, tenant: Any, other: Any) -> None:
    """Also those that only an executor's configuration names; nothing of PUBLIC itself is halted."""
    await api.token(other)
    await bus.put_config(AgentId("E"), json.dumps({"agent": {"id": "E"}, "exchanges": {tenant: {"binance": {}}}}))
    await bus.heartbeat(Heartbeat("E", "executor", "running", 1, now_ms(), now_ms(), "1"))
    halted = await operator.post("/api/v1/halts", json={"tenant": "*", "reason": "all"})
    found = {item["tenant"] for item in halted.json()["items"] if item["reason"] == "all"}
    assert {tenant, other} <= found
    assert PUBLIC not in found
    assert (await operator.delete("/api/v1/halts", params={"tenant": "*"})).status_code == 422
    lifted = await asyncio.gather(*(operator.delete("/api/v1/halts", params={"tenant": each}) for each in found))
    assert {each.status_code for each in lifted} == {200}


@pytest.mark.parametrize(("body", "status"), [({}, 422), ({"tenant": "NOBODY"}, 404), ({"tenant": "a b"}, 422)])
async def test_an_operator_that_halts_nobody_gets_an_error(operator: Any, body: Any, status: int) -> None:
    """A halt that stops no trading must not look like one."""
    found = await operator.post("/api/v1/halts", json=body)
    assert found.status_code == status
    assert "tenant" in found.json()["detail"]


async def test_only_an_operator_halts_others(api: Any, admin: httpx.AsyncClient, tenant: Any, other: Tenant) -> None:
    """403 for another tenant and for all; one's own may be named. A trader of PUBLIC is no operator."""
    for named in (other, "*"):
        assert (await admin.post("/api/v1/halts", json={"tenant": named})).status_code == 403
    assert (await admin.post("/api/v1/halts", json={"tenant": tenant})).status_code == 200
    async with api.client(await api.token(PUBLIC, "trade")) as trader:
        assert (await trader.post("/api/v1/halts", json={"tenant": other})).status_code == 403
        assert (await trader.post("/api/v1/halts", json={})).status_code == 422


async def test_halts_have_no_symbol(admin: Any, bus: Any, tenant: Any) -> None:
    """To lift a halt for one symbol would lift it for all: refused, and nothing is lifted."""
    await admin.post("/api/v1/halts", json={})
    found = await admin.delete("/api/v1/halts", params={"symbol": "KCS/USDT"})
    assert found.status_code == 422
    assert found.json()["problems"][0]["path"] == "query.symbol"
    assert (await admin.post("/api/v1/halts", json={"symbol": "KCS/USDT"})).status_code == 422
    assert len(await bus.halts.get(tenant)) == 1
