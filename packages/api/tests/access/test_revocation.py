"""Whatever a token holds ends soon after the token, however it was revoked."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from millrace_core.clock import now_ms


async def _never(*_: Any, **__: Any) -> Any:
    await asyncio.Event().wait()


async def _endless(*_: Any, **__: Any) -> AsyncIterator[bytes]:
    yield b"a piece"
    await asyncio.Event().wait()


@pytest.mark.parametrize("by", ["api", "database"])
async def test_a_revoked_token_holds_nothing(
    by: str, api: Any, admin: Any, tenant: Any, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request under way, an export, an event stream and a socket end within 5 s."""
    monkeypatch.setattr(api.services.questions, "whole", _never)
    monkeypatch.setattr(api.services.questions, "export", _endless)
    token = await api.token(tenant, "read")
    socket = await connect(token)
    async with api.client(token) as client, asyncio.TaskGroup() as group:
        request = group.create_task(client.get("/api/v1/tickers"))
        streams = [
            group.create_task(_followed(client, path)) for path in ("/api/v1/exports/trades", "/api/v1/agents/events")
        ]
        async with asyncio.timeout(20):
            while len(api.services.authenticator.holdings._held.get(token.split("_")[1], ())) < 4:
                await asyncio.sleep(0.01)
        if by == "api":
            assert (await admin.delete(f"/api/v1/tokens/{token.split('_')[1]}")).status_code == 200
        else:
            assert await api.store.access.revoke_token(tenant, token.split("_")[1], now_ms())
        async with asyncio.timeout(5):
            await socket.until(lambda: socket.closed)
            assert (await request).status_code == 401
            assert await asyncio.gather(*streams) == ["cut off", "cut off"]
    assert socket.closed[0] == 1008
    assert not api.services.authenticator.holdings._held.get(token.split("_")[1])


async def _followed(client: httpx.AsyncClient, path: str) -> str:
    try:
        await client.get(path)
    except httpx.RemoteProtocolError:
        return "cut off"
    return "whole"


async def test_a_question_ends_with_its_client(api: Any, tenant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it goes on once nobody waits for the answer."""
    begun, ended = asyncio.Event(), asyncio.Event()

    async def slow(*_: Any, **__: Any) -> Any:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    monkeypatch.setattr(api.services.questions, "whole", slow)
    async with api.client(await api.token(tenant, "read")) as client:
        asked = asyncio.create_task(client.get("/api/v1/tickers"))
        await begun.wait()
        asked.cancel()
        async with asyncio.timeout(5):
            await ended.wait()
