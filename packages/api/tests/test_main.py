"""The API as a process: `python -m millrace_api`."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from millrace_api.access.tokens import new_token
from millrace_api.agent import Options
from millrace_api.server import PortTaken, listen
from millrace_core.names import Tenant
from millrace_store import Store

_START_S = 60
"""It takes 2 s when nothing else runs."""


async def _serving(port: int) -> None:
    async with asyncio.timeout(_START_S), httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        while True:
            try:
                assert (await client.get("/ready")).status_code == 200
            except httpx.TransportError:
                await asyncio.sleep(0.02)
            else:
                return


async def _own_heartbeat(client: httpx.AsyncClient, url: str) -> dict[str, Any]:
    """Wait until the API shows itself as running, and return that."""
    async with asyncio.timeout(_START_S):
        while True:
            items: list[dict[str, Any]] = (await client.get(url)).json()["items"]
            if own := [each for each in items if each["id"] == "API" and each["state"] == "running"]:
                return own[0]
            await asyncio.sleep(0.02)


async def test_the_process_serves_without_a_configuration_and_ends_in_order(redis: Any, tmp_path: Path) -> None:
    """It runs with its defaults, serves its database, and a signal ends it within 5 s with code 0."""
    with listen("127.0.0.1", 0) as probe:
        port = probe.getsockname()[1]
    arguments = ["--port", str(port), "--redis-url", redis.url, "--data-dir", str(tmp_path)]
    arguments.append(f"--die-with-parent={os.getpid()}")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "millrace_api", *arguments, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await _serving(port)
        token, record = new_token(Tenant("A"), "x", "read", 1)
        async with Store.open(f"sqlite:///{tmp_path / 'millrace.db'}") as store:
            await store.access.add_token(record)
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as client:
            own = await _own_heartbeat(client, f"http://127.0.0.1:{port}/api/v1/agents")
        assert own["kind"] == "api"
    finally:
        signaled_s = time.monotonic()
        process.send_signal(signal.SIGTERM)
        code = await process.wait()
    assert code == 0
    assert time.monotonic() - signaled_s < 5


@pytest.mark.parametrize(
    ("variable", "text"), [("MILLRACE_PORT", "x"), ("MILLRACE_PORT", "65536"), ("MILLRACE_DATABASE_URL", "mysql://x")]
)
async def test_a_wrong_option_ends_the_process_with_2(variable: str, text: str) -> None:
    """The message names the setting, and nothing else is printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "millrace_api", env=os.environ | {variable: text}, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    assert process.returncode == 2
    assert said.startswith(f"millrace api: {variable}".encode())


def test_a_port_that_is_taken_is_reported_with_what_to_do() -> None:
    """The text names the option that chooses another."""
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        try:
            listen("127.0.0.1", port)
        except PortTaken as error:
            assert "--port" in str(error)
        else:
            raise AssertionError("two listen on one port")
    assert Options("127.0.0.1", port, "sqlite:///x").port == port
