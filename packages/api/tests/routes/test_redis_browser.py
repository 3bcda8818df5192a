"""The protocol's names in Redis: each sees its own and the public market data, nobody sees other programs' keys."""

import json
from typing import Any

import pytest

from millrace_api.redis_names import Owner, owner
from millrace_core.clock import now_ms
from millrace_core.heartbeat import Heartbeat, UnitHealth
from millrace_core.names import PUBLIC, AgentId, Tenant

SECRET = "s3cr3t-of-the-account"


@pytest.mark.parametrize(
    ("name", "whose"),
    [
        ("stream.Ann.kucoin.watchTrades.KCS/USDT", Owner(Tenant("Ann"), content="market")),
        ("stream.snapshot.Ann.kucoin.watchTrades.KCS/USDT", Owner(Tenant("Ann"), content="market")),
        ("stream.Ann.kucoin.createOrder.KCS/USDT", Owner(Tenant("Ann"))),
        ("Ann.traderActions", Owner(Tenant("Ann"))),
        ("order.{Ann}.17", Owner(Tenant("Ann"))),
        ("halt.{Ann}", Owner(Tenant("Ann"))),
        ("strategy.{Ann}.Ping}Pong", Owner(Tenant("Ann"))),
        ("strategy.Ann.PingPong", None),
        ("index.journals.Ann", Owner(Tenant("Ann"))),
        ("stream.config.X", Owner(agent=AgentId("X"), content="config")),
        ("agent.X", Owner(agent=AgentId("X"), content="agent")),
        ("index.tenants", Owner()),
        ("session:4711", None),
        ("order.Ann.17", None),
        ("stream.", None),
        ("", None),
    ],
)
def test_whose_a_name_is(name: str, whose: Owner | None) -> None:
    """Names of the protocol have an owner; names of other programs have none."""
    assert owner(name) == whose


async def test_a_tenant_browses_its_own(api: Any, admin: Any, bus: Any, book: Any, tenant: Any, other: Any) -> None:
    """Its streams with their newest messages; another tenant's names are as if they did not exist."""
    names = {each["name"] for each in (await admin.get("/api/v1/redis/names", params={"limit": 2000})).json()["items"]}
    assert {str(book.name), book.name.snapshot, f"{tenant}.traderActions", f"halt.{{{tenant}}}"} <= names
    found = (await admin.get("/api/v1/redis/value", params={"name": book.name.snapshot})).json()
    assert found["kind"] == "stream"
    assert '"bids":[[10.0,1.0]]' in found["entries"][0][1]
    async with api.client(await api.token(other)) as stranger:
        listed = (await stranger.get("/api/v1/redis/names", params={"contains": tenant})).json()["items"]
        assert listed == []
        for name in (str(book.name), f"{tenant}.traderActions", f"halt.{{{tenant}}}", "index.tenants", "session:1"):
            assert (await stranger.get("/api/v1/redis/value", params={"name": name})).status_code == 404


async def test_a_tenant_browses_what_its_strategies_keep(
    api: Any, admin: Any, bus: Any, tenant: Any, other: Any
) -> None:
    """Their records are listed while a magicbox runs them; another tenant's are not."""
    units = [UnitHealth(f"{of}.Quoter", "live", 1) for of in (tenant, other)]
    await bus.heartbeat(Heartbeat(f"M-{tenant}", "magicbox", "running", 1, 1, now_ms(), "1", units=units))
    await bus.strategy_records.put(tenant, "Quoter", {"state": b'{"level":5}'})
    listed = (await admin.get("/api/v1/redis/names", params={"contains": "strategy."})).json()["items"]
    assert [each["name"] for each in listed] == [f"strategy.{{{tenant}}}.Quoter"]
    found = (await admin.get("/api/v1/redis/value", params={"name": listed[0]["name"]})).json()
    assert found["entries"] == [["state", '{"level":5}']]
    async with api.client(await api.token(other)) as stranger:
        assert (await stranger.get("/api/v1/redis/value", params={"name": listed[0]["name"]})).status_code == 404


async def test_the_operator_sees_that_a_stream_is_there_and_not_what_it_holds(api: Any, book: Any) -> None:
    """Type and size of a tenant's names, and the platform's own indexes."""
    async with api.client(await api.token(PUBLIC)) as operator:
        found = (await operator.get("/api/v1/redis/value", params={"name": book.name.snapshot})).json()
        assert (found["kind"], found["size"], found["entries"]) == ("stream", 1, [])
        index = (await operator.get("/api/v1/redis/value", params={"name": "index.tenants"})).json()
        assert index["size"] >= 1
        assert len(index["entries"]) >= 1


async def test_secrets_stay_hidden(api: Any, admin: Any, bus: Any, tenant: Any, other: Any) -> None:
    """A configuration is shown with masks, to those who may see it."""
    agent = f"E-{tenant}"
    config = {"agent": {"id": agent}, "exchanges": {tenant: {"kucoin": {"apiKey": SECRET, "secret": SECRET}}}}
    await bus.put_config(AgentId(agent), json.dumps(config))
    own = await admin.get("/api/v1/redis/value", params={"name": f"stream.config.{agent}"})
    assert '"secret":"***"' in own.json()["entries"][0][1]
    async with api.client(await api.token(other)) as stranger:
        theirs = await stranger.get("/api/v1/redis/value", params={"name": f"stream.config.{agent}"})
        assert SECRET not in own.text + theirs.text
        assert theirs.status_code == 404
