"""What agents say of themselves, over real HTTP and as server-sent events."""

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from millrace_api.access.principal import Principal
from millrace_api.agents import view_for
from millrace_core.clock import now_ms
from millrace_core.heartbeat import ErrorReport, Heartbeat, ProblemReport, UnitHealth, WorkerHealth
from millrace_core.names import PUBLIC, AgentId


@pytest.fixture
def heartbeat(tenant: Any, other: Any) -> Callable[..., Heartbeat]:
    """Make heartbeats of an agent that works for two tenants and PUBLIC."""

    def make(**changes: Any) -> Heartbeat:
        units = [UnitHealth(f"{of}.kucoin.watchTrades.KCS/USDT", "live", 1) for of in (tenant, other, PUBLIC)]
        known: dict[str, Any] = {
            "id": f"GATHERER-{tenant}",
            "kind": "gatherer",
            "state": "running",
            "pid": 1,
            "started_at": 1,
            "sent_at": now_ms(),
            "version": "1",
            "units": units,
            "workers": [WorkerHealth(name, "live", 1) for name in ("1", f"{tenant}.Quoter", f"{other}.Quoter")],
            "warnings": [f"$.exchanges.{other}.kucoin.secret is in plain text"],
            "last_errors": [ErrorReport(1, f"{other}.kucoin.watchTrades.KCS/USDT", "lost")],
        }
        return Heartbeat(**(known | changes))

    return make


def test_of_other_tenants_work_nothing_is_seen(heartbeat: Any, tenant: Any, other: Any) -> None:
    """Their units, errors and what is said of their configuration are left out; the operator sees all."""
    seen = view_for(Principal(tenant, "admin", "1", "x"), heartbeat())
    assert {unit.name.partition(".")[0] for unit in seen.units} == {tenant, PUBLIC}
    assert [worker.name for worker in seen.workers] == [f"{tenant}.Quoter"]
    assert other not in repr(seen)
    own = heartbeat(warnings=[f"$.exchanges.{of}.kucoin.secret is in plain text" for of in (tenant, other)])
    assert view_for(Principal(tenant, "read", "1", "x"), own).warnings == own.warnings[:1]
    assert view_for(Principal(tenant, "read", "1", "x"), own, sees_config=True).warnings == own.warnings[:1]
    idle = view_for(Principal(tenant, "admin", "1", "x"), heartbeat(units=[]))
    assert other not in repr(idle)
    namesake = heartbeat(units=[UnitHealth(str(tenant), "live", 1)])
    assert not view_for(Principal(tenant, "admin", "1", "x"), namesake).units
    assert len(view_for(Principal(PUBLIC, "admin", "1", "x"), heartbeat()).units) == 3


async def test_what_is_wrong_is_shown_to_whom_the_configuration_is(
    admin: Any, bus: Any, heartbeat: Any, tenant: Any, other: Any
) -> None:
    """While another tenant's part has not run yet, only its configuration tells that the agent is shared."""
    units = [UnitHealth(f"{tenant}.kucoin.watchTrades.KCS/USDT", "live", 1)]
    errors = [ProblemReport("$.workplans[1]", f"{other} has no account")]
    beat = heartbeat(units=units, config_errors=errors, warnings=[])
    await bus.heartbeat(beat)
    for named, seen in (([tenant], 1), ([tenant, other], 0)):
        await bus.put_config(AgentId(beat.id), json.dumps({"agent": {"id": beat.id}, "risk": {of: {} for of in named}}))
        found = (await admin.get("/api/v1/agents")).json()["items"]
        assert [len(agent["configErrors"]) for agent in found if agent["id"] == beat.id] == [seen]


async def test_agents_that_are_alive_are_listed(admin: Any, bus: Any, heartbeat: Any, other: Any) -> None:
    """Each agent is there with what concerns the tenant."""
    await bus.heartbeat(heartbeat())
    found = await admin.get("/api/v1/agents")
    assert heartbeat().id in [agent["id"] for agent in found.json()["items"]]
    assert other not in found.text


async def test_an_agent_of_another_tenant_alone_is_not_known(
    api: Any, admin: Any, bus: Any, heartbeat: Any, tenant: Any, other: Any
) -> None:
    """Its id may name the tenant: in no list, event, history or name in Redis is it found; once it is shared, it is."""
    beat = heartbeat()
    agent = AgentId(beat.id)

    async def work_for(*tenants: str) -> None:
        await bus.put_config(agent, json.dumps({"agent": {"id": agent}, "risk": {of: {} for of in tenants}}))

    async def seen_in(ask: Any) -> list[str]:
        names = await ask.get("/api/v1/redis/names", params={"contains": agent})
        value = await ask.get("/api/v1/redis/value", params={"name": f"agent.{agent}"})
        answers = {
            "list": agent in (await ask.get("/api/v1/agents")).text,
            "events": agent in (await ask.get("/api/v1/agents/events", params={"seconds": 0.2})).text,
            "names": bool(names.json()["items"]),
            "value": value.status_code == 200,
        }
        return [where for where, is_there in answers.items() if is_there]

    await bus.heartbeat(beat)
    await work_for(tenant)
    async with api.client(await api.token(other)) as stranger:
        assert await seen_in(stranger) == []
        assert (await stranger.get(f"/api/v1/agents/{agent}/history")).status_code == 404
        assert await seen_in(admin) == ["list", "events", "names", "value"]
        await work_for(tenant, other)
        assert await seen_in(stranger) == ["list", "events", "names", "value"]


async def test_changes_are_reported_as_they_happen(
    admin: Any, bus: Any, heartbeat: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All agents first, then each change, then that one is gone; the stream ends when it was asked to."""
    monkeypatch.setattr("millrace_api.agents.POLL_S", 0.05)
    mine = heartbeat().id
    await bus.heartbeat(heartbeat())
    reported: list[tuple[str, str | None]] = []
    async with asyncio.timeout(60), admin.stream("GET", "/api/v1/agents/events", params={"seconds": 10}) as events:
        assert events.headers["content-type"].startswith("text/event-stream")
        kind = ""
        async for line in events.aiter_lines():
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            elif line.startswith("data: ") and (said := json.loads(line.removeprefix("data: ")))["id"] == mine:
                reported.append((kind, said.get("state")))
                if len(reported) == 1:
                    await bus.heartbeat(heartbeat(state="stopped", sent_at=now_ms() + 1))
                elif len(reported) == 2:
                    await bus.end_heartbeat(AgentId(mine), now_ms())
                else:
                    break
    assert reported == [("agent", "running"), ("agent", "stopped"), ("gone", None)]


async def test_a_unit_is_restarted_by_its_tenant_or_the_operator(
    api: Any, admin: Any, bus: Any, heartbeat: Any, tenant: Any, other: Any
) -> None:
    """The agent receives the unit's name; public units are the operator's, and other tenants' do not exist."""
    beat = heartbeat()
    await bus.heartbeat(beat)
    path, (own, others, public) = f"/api/v1/agents/{beat.id}/restart", [{"unit": unit.name} for unit in beat.units]
    unheard = await admin.post(path, json=own)
    assert (unheard.status_code, unheard.headers["Retry-After"]) == (503, "2")
    async with contextlib.aclosing(bus.restart_requests(AgentId(beat.id))) as requests:
        received = asyncio.create_task(anext(requests))
        async with asyncio.timeout(60):
            while (found := await admin.post(path, json=own)).status_code == 503:
                await asyncio.sleep(0.02)
        assert (found.status_code, found.json()) == (202, own)
        assert await asyncio.wait_for(received, 10) == own["unit"]
        assert (await admin.post(path, json=public)).status_code == 403
        assert (await admin.post(path, json=others)).status_code == 404
        async with api.client(await api.token(tenant, "trade")) as client:
            assert (await client.post(path, json=own)).status_code == 403
        async with api.client(await api.token(PUBLIC)) as operator:
            assert (await operator.post(path, json=public)).status_code == 202
        assert await asyncio.wait_for(anext(requests), 10) == public["unit"]


async def test_a_unit_that_does_not_exist_is_not_restarted(admin: Any, bus: Any, heartbeat: Any, tenant: Any) -> None:
    """The answer suggests a near name, of those that the caller may see; so of an agent that does not run."""
    beat = heartbeat()
    await bus.heartbeat(beat)
    wrong = {"unit": f"{tenant}.kucoin.watchTrade.KCS/USDT"}
    found = await admin.post(f"/api/v1/agents/{beat.id}/restart", json=wrong)
    assert found.status_code == 404
    assert f"did you mean {tenant}.kucoin.watchTrades.KCS/USDT" in found.json()["detail"]
    assert (await admin.post(f"/api/v1/agents/NONE-{tenant}/restart", json=wrong)).status_code == 404
