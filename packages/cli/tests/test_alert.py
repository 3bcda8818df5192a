"""`millrace alert test`, with a real receiver."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from millrace_alerts.testing import NothingToTest
from millrace_bus import Bus, EmbeddedServer
from millrace_cli.alert import NotDelivered, send
from millrace_core.names import PUBLIC, AgentId
from millrace_service.encryption import encrypt, new_key, parse_key

ID = AgentId("ALERTS")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    """A Valkey."""
    async with await EmbeddedServer.start(tmp_path) as server:
        yield server


@pytest.fixture
async def receiver() -> AsyncIterator[tuple[int, list[dict[str, str]]]]:
    """A receiver: its port, and what it got."""
    got: list[dict[str, str]] = []

    async def take(request: web.Request) -> web.Response:
        got.append(await request.json())
        return web.Response()

    server = web.Application()
    server.router.add_post("/hook", take)
    runner = web.AppRunner(server)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1], got
    await runner.cleanup()


async def configured(server: EmbeddedServer, receivers: dict[str, str]) -> None:
    """Write a configuration."""
    async with Bus.connect(server.url) as bus:
        await bus.put_config(ID, json.dumps({"agent": {"id": ID}, "receivers": {PUBLIC: receivers}}))


async def test_every_receiver_gets_a_test(
    server: EmbeddedServer,
    receiver: tuple[int, list[dict[str, str]]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Encrypted addresses are decrypted with the key of the environment; who refuses is named, without an address."""
    port, got = receiver
    key = new_key()
    monkeypatch.setenv("MILLRACE_SECRET_KEY", key)
    good = encrypt(PUBLIC, f"json://127.0.0.1:{port}/hook", parse_key(key))
    await configured(server, {"good": good})
    await send(server.url, ID)
    assert capsys.readouterr().out == "PUBLIC.good: delivered\n"
    assert "alerts reach you" in got[0]["message"]
    await configured(server, {"good": good, "bad": f"json://127.0.0.1:{port}/elsewhere"})
    with pytest.raises(NotDelivered, match=r"not delivered to PUBLIC\.bad"):
        await send(server.url, ID, as_json=True)
    assert json.loads(capsys.readouterr().out) == {"PUBLIC.good": None, "PUBLIC.bad": "the receiver answered 404"}


async def test_without_receivers_it_says_what_to_do(server: EmbeddedServer) -> None:
    """Nothing is configured yet, or nobody."""
    with pytest.raises(NothingToTest, match=r"stream\.config\.ALERTS is not in Redis"):
        await send(server.url, ID)
    await configured(server, {})
    with pytest.raises(NothingToTest, match="has no receivers"):
        await send(server.url, ID)


async def test_the_command_ends_with_1_where_nobody_is_reported(server: EmbeddedServer) -> None:
    """As typed; one line says why."""
    command = (sys.executable, "-m", "millrace_cli.main", "alert", "test", "--redis-url", server.url)
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()
    assert process.returncode == 1
    assert b"millrace: stream.config.ALERTS is not in Redis: write the configuration first" in said
