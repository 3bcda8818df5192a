"""A database that can be read but not written, or that does not answer at all, while the API serves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.outages import sqlite_locked

from millrace_core.names import PUBLIC, Action, ExchangeId, StreamName, Symbol
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
