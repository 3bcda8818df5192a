"""`millrace doctor` as it is typed, on real servers that are well or not."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from redis.asyncio import Redis

from millrace_bus import Bus, EmbeddedServer
from millrace_bus.server.ports import free_port
from millrace_bus.server.state import ServerState
from millrace_cli.doctor.redis_findings import redis_findings
from millrace_core.clock import now_ms
from millrace_core.heartbeat import Heartbeat, ProblemReport
from millrace_core.names import AgentId, Tenant
from millrace_service.encryption import encrypt, new_key, parse_key
from millrace_store import Store

EXECUTOR = AgentId("EXECUTOR")


@pytest.fixture
async def store(tmp_path: Path) -> Path:
    """Make the database of the terminal; return its file."""
    file = tmp_path / "millrace.db"
    async with Store.open(f"sqlite:///{file}"):
        return file


@pytest.fixture
async def redis(server: EmbeddedServer) -> AsyncIterator[Any]:
    """A client that changes the server's settings."""
    async with Redis.from_url(server.url) as client:
        yield client


async def _findings(terminal: Any, *arguments: str) -> tuple[int, dict[str, Any]]:
    found = await terminal.type("doctor", "--json", *arguments)
    return found.code, {each["subject"]: each for each in found.json}


def _config(url: str, secret: str = "plain") -> str:  # noqa: S107
    account = {"apiKey": "k", "secret": secret, "urls": {"base": url}}
    return json.dumps({"agent": {"id": EXECUTOR}, "exchanges": {"StrankaXY": {"binance": account}}})


@pytest.mark.usefixtures("store")
async def test_an_installation_that_is_well_has_exit_code_0(terminal: Any, bus: Bus) -> None:
    """Each thing that was checked is listed."""
    await bus.ready(10)
    code, found = await _findings(terminal)
    wanted = {"redis", "redis version", "redis memory", "redis appendonly", "redis eviction", "database schema"}
    assert wanted | {"database writes", "secret key"} <= found.keys()
    assert code == 0, found
    assert {each["level"] for name, each in found.items() if name != "agents"} == {"ok"}


@pytest.mark.usefixtures("store")
async def test_a_journal_that_a_foreign_entry_stops_is_found_and_how_to_mend_it(
    terminal: Any, bus: Bus, redis: Any
) -> None:
    """Its key is deleted; a name that no journal has is told, whatever bytes it is."""
    name, index = "stream.Ann.kucoin.watchTrades.KCS/USDT", "index.journals.Ann"
    await bus.register_journals(Tenant("Ann"), name)
    await redis.xadd(name, {"data": "x"}, id=f"{2**63}-1")
    await redis.zadd(index, {b"\xff": "+inf"})
    code, found = await _findings(terminal)
    assert code == 1
    assert f"del {name}" in found[f"journal {name}"]["mend"]
    assert index in found["journals of Ann"]["mend"]
    await redis.delete(name)
    await redis.zrem(index, b"\xff")
    _, found = await _findings(terminal)
    assert found["journals"]["level"] == "ok"


@pytest.mark.usefixtures("store")
async def test_what_is_wrong_with_redis_is_found_and_how_to_mend_it(terminal: Any, bus: Bus, redis: Any) -> None:
    """The mending commands do what they are printed for; the one of the append-only file alone is not tried."""
    await bus.ready(10)
    settings = {"appendonly": "no", "maxmemory-policy": "allkeys-lru", "notify-keyspace-events": ""}
    for name, value in settings.items():
        await redis.config_set(name, value)
    code, found = await _findings(terminal)
    assert code == 1
    wrong = ("redis appendonly", "redis eviction", "redis notifications")
    assert [found[name]["level"] for name in wrong] == ["warn", "fail", "warn"]
    for name in wrong[1:]:
        command = found[name]["mend"].partition(" && ")[0].split()
        assert command[:3] == ["redis-cli", "-u", '"$MILLRACE_REDIS_URL"']
        await redis.execute_command(*command[3:])
    code, found = await _findings(terminal)
    assert (code, [found[name]["level"] for name in wrong]) == (0, ["warn", "ok", "ok"])


@pytest.mark.parametrize(
    ("changes", "subject", "level"),
    [
        ({"product": "redis", "version": "6.2.1"}, "redis version", "fail"),
        ({"version": "unknown"}, "redis version", "fail"),
        ({"role": "slave"}, "redis role", "fail"),
        ({"max_memory": 1_000, "used_memory": 960}, "redis memory", "fail"),
        ({"max_memory": 1_000, "used_memory": 850}, "redis memory", "warn"),
        ({"clock_ms": 5_000}, "redis clock", "warn"),
        ({"last_write_failed": True}, "redis disk", "fail"),
        ({"settings": None}, "redis settings", "warn"),
    ],
)
def test_each_fault_of_a_server_has_its_level(changes: dict[str, Any], subject: str, level: str) -> None:
    """And a way to mend it."""
    well = {"appendonly": "yes", "maxmemory-policy": "noeviction", "notify-keyspace-events": "AK"}
    state = ServerState("valkey", "8.1.0", "master", 0, 1_000, 0, last_write_failed=False, settings=well)
    assert {each.level for each in redis_findings(state, 0)} == {"ok"}
    (found,) = [each for each in redis_findings(state._replace(**changes), 0) if each.level != "ok"]
    assert (found.subject, found.level) == (subject, level)
    assert found.mend


async def test_without_redis_and_database_the_rest_is_still_examined(
    terminal: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One finding each, with what to set; no file is made."""
    monkeypatch.setattr("millrace_cli.running.ANSWER_LIMIT_S", 0.2)
    terminal.environment["MILLRACE_REDIS_URL"] = f"redis://127.0.0.1:{free_port()}"
    code, found = await _findings(terminal)
    assert (code, sorted(found)) == (1, ["database", "redis"])
    assert "MILLRACE_REDIS_URL" in found["redis"]["mend"]
    assert "MILLRACE_DATABASE_URL" in found["database"]["mend"]
    assert not (tmp_path / "millrace.db").exists()


async def test_a_schema_that_is_too_new_asks_for_a_newer_millrace(terminal: Any, store: Path, bus: Bus) -> None:
    """Nothing downgrades a database."""
    await bus.ready(10)
    with sqlite3.connect(store) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.close()
    code, found = await _findings(terminal)
    assert (code, found["database schema"]["mend"]) == (1, "upgrade millrace")


async def test_secrets_are_checked_with_the_key_of_this_environment(terminal: Any, store: Path, bus: Bus) -> None:
    """Plain text is warned of; an encrypted one needs the right key."""
    key = new_key()
    await bus.put_config(EXECUTOR, _config("http://127.0.0.1:1"))
    code, found = await _findings(terminal, "--no-exchanges")
    assert (code, found["secrets"]["level"]) == (0, "warn")
    assert "EXECUTOR $.exchanges.StrankaXY.binance.secret" in found["secrets"]["text"]
    assert found["secrets"]["mend"].endswith("; millrace config get EXECUTOR | millrace config put EXECUTOR -")
    sealed = encrypt(Tenant("StrankaXY"), "s3cr3t", parse_key(key))
    await bus.put_config(EXECUTOR, _config("http://127.0.0.1:1", sealed))
    for value, level in (("", "fail"), (new_key(), "fail"), (key, "ok"), ("short", "fail")):
        terminal.environment["MILLRACE_SECRET_KEY"] = value
        code, found = await _findings(terminal, "--no-exchanges")
        assert (code, found["secret key"]["level"]) == (int(level == "fail"), level)


async def test_an_agent_with_mistakes_in_its_configuration_fails(terminal: Any, store: Path, bus: Bus) -> None:
    """The mistake is repeated; an agent that does not run is warned of."""
    at_ms = now_ms()
    errors = [ProblemReport("$.workplans[0]", "is wrong")]
    await bus.heartbeat(Heartbeat("GATHERER", "gatherer", "running", 1, at_ms, at_ms, "1", config_errors=errors))
    await bus.put_config(EXECUTOR, "{}")
    code, found = await _findings(terminal, "--no-exchanges")
    assert (code, found["agent GATHERER"]["level"], found["agent EXECUTOR"]["level"]) == (1, "fail", "warn")
    assert "$.workplans[0]: is wrong" in found["agent GATHERER"]["text"]


@pytest.mark.parametrize(("offset_ms", "level"), [(0, "ok"), (5_000, "fail")])
async def test_an_exchanges_clock_is_compared(terminal: Any, store: Path, bus: Bus, offset_ms: int, level: str) -> None:
    """No key is sent, and a difference that makes it refuse orders fails."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(f"{request.path} {request.headers.get('X-MBX-APIKEY')}")
        return web.json_response({"serverTime": now_ms() + offset_ms})

    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port := free_port())
    await site.start()
    try:
        await bus.put_config(EXECUTOR, _config(f"http://127.0.0.1:{port}"))
        code, found = await _findings(terminal)
    finally:
        await runner.cleanup()
    (exchange,) = [each for name, each in found.items() if name.startswith("exchange binance")]
    assert (exchange["level"], code) == (level, int(level == "fail")), exchange
    assert asked == ["/api/v3/time None"]


async def test_an_exchange_that_cannot_be_reached_fails(terminal: Any, store: Path, bus: Bus) -> None:
    """With its address."""
    url = f"http://127.0.0.1:{free_port()}"
    await bus.put_config(EXECUTOR, _config(url))
    async with asyncio.timeout(60):
        found = await terminal.type("doctor")
    assert found.code == 1
    assert f"fail exchange binance at {url}: " in found.output
    assert "mend: check this machine's network" in found.output
