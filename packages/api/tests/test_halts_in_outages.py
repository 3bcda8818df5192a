"""Halts and their ends while the database takes no rows, or does not answer at all: in force and answered meanwhile."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from packages.api.tests.conftest import serving
from tests.support import outages

from millrace_core.names import PUBLIC, ExchangeId, StreamName
from millrace_store import Store
from millrace_store.testing import PostgresServer


@pytest.fixture(autouse=True)
def _as_served(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait as long for the database as the API does; the API that other tests share waits longer."""
    monkeypatch.setattr("millrace_api.trading.halts.PATIENCE_S", 0.05)


@asynccontextmanager
async def outage_of(way: str, url: str, postgres: PostgresServer | None, folder: Path) -> AsyncIterator[None]:
    """Let a database fail in one of the ways."""
    if postgres is None:
        path = folder / "test.db"
        async with AsyncExitStack() as held:
            if way == "locked":
                await held.enter_async_context(outages.sqlite_locked(path))
            else:
                held.enter_context(outages.filled(folder))
            yield
        return
    ways: Any = {
        "stopped": lambda: outages.postgres_stopped(postgres),
        "read only": lambda: outages.postgres_read_only(url),
        "locked": lambda: outages.postgres_locked(url, "halts, audit, tokens"),
    }
    async with ways[way]():
        yield


async def halts_are_prompt(api: Any, bus: Any, tenant: Any, outage: Any) -> None:
    """Halt and resume in an outage, as the tenant and as an operator; afterwards the database holds the last state."""
    await bus.register_journals(tenant, str(StreamName(tenant, ExchangeId("kucoin"), "createOrder", "KCS/USDT")))  # type: ignore[arg-type]
    async with api.client(await api.token(tenant)) as own, api.client(await api.token(PUBLIC)) as operator:
        for client in (own, operator):
            assert (await client.get("/api/v1/session")).status_code == 200
        await api.services.authenticator.trail.settled(60)
        async with outage:
            for client in (own, operator):
                halted = await client.post("/api/v1/halts", json={"tenant": tenant})
                assert [(shown["tenant"], shown["stored"]) for shown in halted.json()["items"]] == [(tenant, False)]
                assert [str(scope) for scope in await bus.halts.get(tenant)] == ["*/*"]
                assert (await client.delete("/api/v1/halts", params={"tenant": tenant})).json() == {"items": []}
                assert not await bus.halts.get(tenant)
        await api.services.authenticator.trail.settled(60)
        halted = await own.post("/api/v1/halts", json={})
        assert [shown["reason"] for shown in halted.json()["items"]]
    written = [(row["action"], row["outcome"]) for row in await api.audit(tenant)]
    assert written.count(("halt", "done")) == 2


@pytest.mark.parametrize("way", ["stopped", "read only", "locked"])
async def test_halts_beside_postgresql(
    way: str, postgres: PostgresServer, redis: Any, bus: Any, tenant: Any, tmp_path: Path
) -> None:
    """Each answer says that it is not stored yet, and comes while the server is still away; no audit row is lost."""
    url = await postgres.database(f"t{os.urandom(6).hex()}")
    async with Store.open(url):
        pass
    async with serving(redis, url) as api:
        await halts_are_prompt(api, bus, tenant, outage_of(way, url, postgres, tmp_path))


@pytest.mark.parametrize("way", ["locked", "full"])
async def test_halts_beside_sqlite(way: str, empty: Path, redis: Any, bus: Any, tenant: Any, tmp_path: Path) -> None:
    """Each answer says that it is not stored yet, and comes while the file takes nothing; no audit row is lost."""
    with outages.disk(tmp_path / "disk") as disk:
        shutil.copy(empty, disk / "test.db")
        async with serving(redis, disk / "test.db") as api:
            await halts_are_prompt(api, bus, tenant, outage_of(way, "", None, disk))
