"""Unforeseen errors: every affected client is notified, and nothing goes silent."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import httpx
import picows
import pytest
import structlog

from millrace_api.access.principal import Principal
from millrace_api.agent import ApiAgent, Options
from millrace_api.live.hub import Hub
from millrace_api.live.topic import Topic
from millrace_api.server import Server, listen
from millrace_api.services import DEFAULTS
from millrace_api.trading.responses import PendingResponses
from millrace_bus import Bus

INTERNAL_ERROR = 1011


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[Any]]:
    """What is logged; formatting these tracebacks for a terminal would take seconds."""
    with structlog.testing.capture_logs() as entries:
        yield entries


def _fail(*_: Any, **__: Any) -> Any:
    raise RuntimeError("nobody foresaw this")


async def _fail_later(*_: Any, **__: Any) -> Any:
    _fail()


async def test_a_stream_that_fails_closes_its_clients_and_works_again(
    api: Any, tenant: Any, book: Any, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its clients are disconnected instead of waiting forever; those of other streams stay, and so does the stream."""
    token = await api.token(tenant, "read")
    concerned, other = await connect(token), await connect(token)
    concerned.say(op="subscribe", stream=str(book.name))
    other.say(op="subscribe", stream=f"stream.{tenant}.kucoin.createOrder.KCS/USDT")
    await concerned.until(lambda: concerned.of_type("snapshot"))
    await other.until(lambda: other.of_type("live"))
    with monkeypatch.context() as faulty:
        faulty.setattr(Topic, "_encoded", _fail)
        book.bid(9.0, 1.0)
        await concerned.until(lambda: concerned.closed)
    assert concerned.closed is not None
    assert concerned.closed[0] == INTERNAL_ERROR
    assert other.closed is None
    again = await connect(token)
    again.say(op="subscribe", stream=str(book.name))
    await again.until(lambda: again.of_type("snapshot"))
    last = book.bid(9.0, 2.0)
    await again.until(lambda: again.received[-1]["id"] == str(last))


async def test_a_replay_that_fails_closes_its_client(
    api: Any, tenant: Any, book: Any, connect: Any, monkeypatch: pytest.MonkeyPatch, logged: list[Any]
) -> None:
    """A client that resumes never waits for messages that are no longer looked for."""
    monkeypatch.setattr("millrace_api.live.replay._joins_on", _fail)
    first = book.bid(9.0, 1.0)
    for amount in range(2, 2_000):
        book.bid(9.0, float(amount))
    socket = await connect(await api.token(tenant, "read"))
    socket.say(op="subscribe", stream=str(book.name), since=str(first))
    await socket.until(lambda: socket.closed)
    assert socket.closed[0] == INTERNAL_ERROR
    assert [entry["log_level"] for entry in logged] == ["error"]


async def test_a_connection_that_cannot_be_admitted_is_answered(
    api: Any, tenant: Any, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The handshake fails with 500 at once."""
    monkeypatch.setattr(api.services.authenticator, "identify", _fail_later)
    with pytest.raises(picows.WSHandshakeError) as failed:
        async with asyncio.timeout(5):
            await connect("mr_0123456789ab_any")
    assert failed.value.response is not None
    assert failed.value.response.status == 500


async def test_a_stream_of_responses_that_failed_is_followed_again(
    api: Any, admin: httpx.AsyncClient, executor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request under way gets no final answer in time; the next one does."""
    payload = {"symbol": "KCS/USDT", "side": "buy", "type": "market", "amountBase": 1}
    order = {"exchangeId": "kucoin", "payload": payload}
    assert (await admin.post("/api/v1/orders", json=order)).status_code == 200
    api.services.configure(api.services.config.model_copy(update={"answer_timeout_ms": 500}))
    with monkeypatch.context() as faulty:
        faulty.setattr(PendingResponses, "_on_update", _fail)
        assert (await admin.post("/api/v1/orders", json=order)).status_code == 202
    api.services.configure(api.services.config.model_copy(update={"answer_timeout_ms": 10_000}))
    assert (await admin.post("/api/v1/orders", json=order)).status_code == 200


async def test_event_streams_end_when_agents_cannot_be_read(
    api: Any, admin: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stream ends, so that its client comes back; the next one works."""
    with monkeypatch.context() as faulty:
        faulty.setattr(api.services.bus, "heartbeats", _fail_later)
        with pytest.raises(httpx.RemoteProtocolError):
            async with asyncio.timeout(5):
                await admin.get("/api/v1/agents/events", params={"seconds": 60})
    found = await admin.get("/api/v1/agents/events", params={"seconds": 0.1})
    assert found.text.startswith("retry: ")


async def test_a_sweep_that_fails_fails_the_server(fresh: Any, tenant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it, revoked tokens would keep their live connections forever."""
    monkeypatch.setattr("millrace_api.live.hub.SWEEP_S", 0.01)
    broken = Mock(principal=Principal(tenant, "read", "1", "x"), check_stalled=_fail, subscriptions={})
    fresh.services.hub.join(broken)
    await _fails_and_closes(await Server.start(fresh.services, listen("127.0.0.1", 0)))
    fresh.services.hub.leave(broken)


async def test_keys_that_cannot_be_forgotten_fail_the_server(fresh: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were only that gone, they would grow without bound."""
    monkeypatch.setattr(fresh.services.store.access, "forget_keys", _fail_later)
    await _fails_and_closes(await Server.start(fresh.services, listen("127.0.0.1", 0)))


async def test_a_server_that_failed_is_started_again_by_its_unit(
    redis: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logged: list[Any]
) -> None:
    """The failure is logged and fails the unit; its next run serves on a new socket."""
    agent = ApiAgent(Options("127.0.0.1", 0, f"sqlite:///{tmp_path / 'millrace.db'}"))
    is_live = asyncio.Event()
    health: Any = Mock(state=lambda *_: is_live.set())
    async with Bus.connect(redis.url, name="api") as bus:
        with monkeypatch.context() as faulty:
            faulty.setattr(Hub, "sweep", _fail_later)
            await agent.started(bus)
            with pytest.raises(RuntimeError, match="nobody foresaw"):
                await agent.run_unit("http", DEFAULTS, health)
        assert any(entry["event"] == "the API has stopped serving" for entry in logged)
        is_live.clear()
        running = asyncio.create_task(agent.run_unit("http", DEFAULTS, health))
        await is_live.wait()
        (address,) = [entry["address"] for entry in logged if entry["event"] == "serving again"]
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"{address}/health")).status_code == 200
        running.cancel()
        await asyncio.wait({running})
        await agent.stopped()


async def _fails_and_closes(server: Server) -> None:
    port = server.port
    with pytest.raises(RuntimeError, match="nobody foresaw"):
        async with asyncio.timeout(60):
            await server.ended()
    with listen("127.0.0.1", port):
        pass
