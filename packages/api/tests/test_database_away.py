"""A database that can be read but not written, or that does not answer at all, while the API serves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.outages import sqlite_locked

from millrace_core.names import PUBLIC, Action, AgentId, ExchangeId, StreamName, Symbol
from millrace_store import DatabaseUnavailable


@asynccontextmanager
async def hanging(api: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Let the database answer nothing, nor end what was asked of it."""
    back = asyncio.Event()

    @asynccontextmanager
    async def hang(*_: Any, **__: Any) -> AsyncIterator[Any]:
        while not back.is_set():
            try:
                await back.wait()
            except asyncio.CancelledError:
                continue
        raise DatabaseUnavailable("it hung")
        yield

    with monkeypatch.context() as patched:
        for name in ("reading", "writing"):
            patched.setattr(api.store.access._database, name, hang)
        try:
            yield
        finally:
            back.set()


async def test_questions_need_no_writing(fresh: Any, tenant: Any, tmp_path: Path) -> None:
    """A token that was never used is good, its last use and what was denied are written once that is possible."""
    token = await fresh.token(tenant, "read")
    async with sqlite_locked(tmp_path / "test.db"), fresh.client(token) as client, asyncio.timeout(5):
        assert (await client.get("/api/v1/trades")).status_code == 200
        assert (await client.get("/api/v1/trades", params={"tenant": "OTHER"})).status_code == 403
    assert [row["outcome"] for row in await fresh.audit(tenant)] == ["denied"]
    (stored,) = await fresh.store.access.tokens(tenant)
    assert stored.last_used_ms is not None


@pytest.mark.parametrize("way", ["locked", "hanging"])
@pytest.mark.parametrize("of", ["own", "operator"])
async def test_a_halt_needs_no_database(
    way: str, of: str, fresh: Any, tenant: Any, bus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in force and answered at once, and says that it is not stored yet; so is its end."""
    monkeypatch.setattr("millrace_api.trading.halts.PATIENCE_S", 0.1)
    name = StreamName(tenant, ExchangeId("kucoin"), Action("createOrder"), Symbol("KCS/USDT"))
    await bus.register_journals(tenant, str(name))
    async with fresh.client(await fresh.token(tenant if of == "own" else PUBLIC)) as client:
        assert (await client.get("/api/v1/session")).status_code == 200
        await fresh.services.authenticator.trail.settled(20)
        away = sqlite_locked(tmp_path / "test.db") if way == "locked" else hanging(fresh, monkeypatch)
        async with away, asyncio.timeout(8):
            halted = await client.post("/api/v1/halts", json={"tenant": tenant})
            (shown,) = halted.json()["items"]
            assert not shown["stored"]
            assert [str(scope) for scope in await bus.halts.get(tenant)] == ["*/*"]
            lifted = await client.delete("/api/v1/halts", params={"tenant": tenant})
            assert lifted.json() == {"items": []}
            assert not await bus.halts.get(tenant)


async def test_a_configuration_that_is_in_force_is_answered_as_such(
    fresh: Any, tenant: Any, bus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its history follows once the database can be written; "nothing was done" would be wrong."""
    monkeypatch.setattr("millrace_api.configs.editor.PATIENCE_S", 0.1)
    agent = AgentId(f"EXECUTOR-{tenant}")
    path, config = f"/api/v1/agents/{agent}/config", {"agent": {"id": agent}, "risk": {tenant: {}}}
    async with fresh.client(await fresh.token(tenant)) as client:
        async with sqlite_locked(tmp_path / "test.db"), asyncio.timeout(8):
            put = await client.put(path, json=config, params={"kind": "executor"})
            assert put.status_code == 200, put.text
            assert (await client.get(path)).headers["etag"] == put.headers["etag"]
        async with asyncio.timeout(20):
            while not (known := (await client.get(f"{path}/history")).json()["items"]):
                await asyncio.sleep(0.05)
    assert known[0]["author"].startswith(tenant)


async def test_a_change_that_redis_may_make_yet_is_not_denied(
    fresh: Any, tenant: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A configuration, a halt or a restart that Redis does not confirm in time."""
    monkeypatch.setattr("millrace_api.services.REDIS_TIMEOUT_S", 0.5)
    monkeypatch.setattr(fresh.services.bus, "replace_config", _never)
    monkeypatch.setattr(fresh.services.bus.halts, "write", _never)
    path, config = f"EXECUTOR-{tenant}", {"agent": {"id": f"EXECUTOR-{tenant}"}, "risk": {tenant: {}}}
    async with fresh.client(await fresh.token(tenant)) as client:
        answers = [
            await client.put(f"/api/v1/agents/{path}/config", json=config, params={"kind": "executor"}),
            await client.post("/api/v1/halts", json={}),
        ]
    assert [each.status_code for each in answers] == [503, 503]
    assert all("may be made yet" in each.json()["detail"] for each in answers)


async def _never(*_: Any) -> None:
    await asyncio.Event().wait()
