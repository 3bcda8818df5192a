"""No secret leaves a platform in which everything fails: by no process, nor by Redis, the database, or the API."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, get_args

import aiohttp
import pytest
import pytest_asyncio
from tests.canaries.scene import FIRST, IN_FULL, KINDS, KNOWN, SECOND, STRANGER, Scene, opened
from tests.support.open_page import OpenPage, sign_in
from tests.support.platform import PATIENCE
from typer.testing import CliRunner

from millrace_cli.main import app
from millrace_cli.processes import listening
from millrace_console.pages import PAGES
from millrace_core.names import PUBLIC, Tenant
from millrace_store.exports.histories import ExportKind

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    """Everything has failed."""
    async with opened(tmp_path_factory.mktemp("canaries")) as scene:
        yield scene


async def test_no_process_prints_a_secret(scene: Scene) -> None:
    """Neither on its output, nor as an argument that every user of the machine can read."""
    leaks: list[str] = []
    for file in scene.folder.glob("*.log"):
        leaks += scene.canaries.leaks(file.read_text(errors="replace"), file.name)
    for name, process in scene.processes.items():
        arguments = Path(f"/proc/{process.pid}/cmdline").read_text()
        leaks += scene.canaries.leaks(arguments, f"arguments of {name}")
    assert leaks == []


async def test_no_key_of_redis_holds_one_but_configurations(scene: Scene) -> None:
    """Nor was one said on any channel."""
    leaks: list[str] = []
    async for key in scene.redis.scan_iter(count=1_000):
        if not key.startswith("stream.config.") and key not in PASTED:
            leaks += scene.canaries.leaks(f"{key} {await value(scene.redis, key)}", key)
    for message in scene.said:
        leaks += [] if any(each in message for each in PASTED) else scene.canaries.leaks(message, message[:60])
    assert sorted(set(leaks)) == []


PASTED = (f"{FIRST}.traderActions", f"stream.{FIRST}.binance.watchTicker.KCS/USDT", f"{FIRST}.traderActions.unreadable")
"""Where the scene itself wrote secrets in plain text."""


async def value(redis: Any, key: str) -> str:
    """Return everything that a key holds."""
    match await redis.type(key):
        case "string":
            return str(await redis.get(key))
        case "hash":
            return str(await redis.hgetall(key))
        case "set":
            return str(await redis.smembers(key))
        case "zset":
            return str(await redis.zrange(key, 0, -1))
        case "stream":
            return str(await redis.xrange(key))
        case kind:
            raise AssertionError(f"{key} is a {kind}")


async def test_the_database_holds_none_in_plain_text(scene: Scene) -> None:
    """Neither audit, nor answers, nor the history of configurations; nor dead letters."""
    assert scene.database is not None
    leaks: list[str] = []
    for (table,) in await scene.database.fetch("SELECT name FROM sqlite_master WHERE type = 'table'"):
        for row in await scene.database.fetch(f'SELECT * FROM "{table}"'):
            leaks += scene.canaries.leaks(str(row), table, but=KEPT if table == "configs" else ())
    assert sorted(set(leaks)) == []


@pytest.mark.parametrize("holder", [FIRST, SECOND, STRANGER, PUBLIC] if IN_FULL else [FIRST, PUBLIC])
async def test_no_answer_of_the_api_holds_a_secret(scene: Scene, holder: Tenant) -> None:
    """Every question, the checks of configurations, and metrics: asked by the owner, by others, and by the operator."""
    leaks: list[str] = []
    headers = {"Authorization": f"Bearer {scene.tokens[holder]}"}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{scene.api_port}", headers=headers, timeout=PATIENCE) as http:
        for method, path, query, body in await questions(scene, http):
            async with http.request(method, path, params=query, json=body) as answer:
                text = await answer.text(errors="replace")
                assert answer.status < 500, (path, query, text)
                assert answer.status != 429, text
                leaks += scene.canaries.leaks(text, f"{method} {path} {query}", but=shown_in(f"{path}{query}"))
    assert leaks == []


EXPORTS = get_args(ExportKind) if IN_FULL else ("requests", "responses", "failedExecutions")
"""Each export is a process of its own: these hold the texts that people and exchanges wrote."""
KEPT = ("misplaced", "webhook of a strategy", "token of a strategy", "proxy of a strategy")
"""The history of configurations keeps what nothing calls secret, and strategies' parameters, as they were written."""


def shown_in(where: str) -> tuple[str, ...]:
    """Return how the names of secrets begin that may be seen there: a configuration shows what nothing calls secret."""
    return ("misplaced",) if "config" in where or where.endswith("/tenants{}") else ()


async def questions(scene: Scene, http: aiohttp.ClientSession) -> list[tuple[str, str, dict[str, str], Any]]:
    """Return method, path, query and body of every question that the API knows."""
    async with http.get("/api/v1/openapi.json") as answer:
        paths = (await answer.json())["paths"]
    found: list[tuple[str, str, dict[str, str], Any]] = []
    for path in (path for path, methods in paths.items() if "get" in methods and "/tenants" not in path):
        for tenant in (FIRST, SECOND):
            found += [("GET", each, query | {"tenant": tenant}, None) for each, query in addresses(path)]
    for kind, config in scene.configs.items():
        document = json.loads(json.dumps(config)) | {"colour": scene.canaries.planted[KNOWN]}
        for verb in ("validate", "diff"):
            found.append(("POST", f"/api/v1/agents/{config['agent']['id']}/config/{verb}", {"kind": kind}, document))
    return [*found, ("GET", "/metrics", {}, None), ("GET", "/api/v1/tenants", {}, None)]


def addresses(path: str) -> list[tuple[str, dict[str, str]]]:
    """Return the addresses of a route, each with a query."""
    filled = path.format_map(
        defaultdict(lambda: "{}", exchange="binance", symbol="KCS/USDT", order_id="1", request_id="0" * 32)
    )
    if "{}" not in filled:
        queries = {
            "/api/v1/agents/events": [{"seconds": "0.5"}],
            "/api/v1/candles": [{"timeframe": "1m"}],
            "/api/v1/redis/value": [{"name": name} for name in SHOWN],
        }
        return [(filled, query) for query in queries.get(path, [{}])]
    if "{kind}" in path:
        return [(filled.format(kind), {"format": "csv"}) for kind in EXPORTS]
    names = ("createOrder", "watchOrders", "unknown") if "{action}" in path else map(str.upper, KINDS)
    return [(filled.format(name), {}) for name in names]


SHOWN = (
    *(f"{name}.{kind.upper()}" for kind in KINDS for name in ("agent", "stream.config", "plugins")),
    *(f"{tenant}.traderActions" for tenant in (FIRST, SECOND)),
    *(f"stream.{tenant}.binance.createOrder.KCS/USDT" for tenant in (FIRST, SECOND)),
    *(f"intents.{{{tenant}}}.binance" for tenant in (FIRST, SECOND)),
)
"""Names of Redis that the API shows."""


@pytest.mark.parametrize("holder", [FIRST, STRANGER, PUBLIC] if IN_FULL else [PUBLIC])
async def test_no_page_of_the_console_shows_or_hears_one(scene: Scene, holder: Tenant) -> None:
    """What is loaded, and every frame that follows until the page has asked for everything."""
    url, few = f"http://localhost:{scene.console_port}", asyncio.Semaphore(5)
    await listening(scene.console_port, 60)
    cookies = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(url, cookie_jar=cookies, timeout=PATIENCE) as http:
        await sign_in(http, url, scene.tokens[holder])

        async def leaks_of(path: str) -> list[str]:
            page = OpenPage(http, f"{path}{'&' if '?' in path else '?'}tenant={FIRST}")
            async with few, page.shown():
                assert len(page.received) > 1
            but = ("misplaced",) if path.startswith(("/configuration", "/tenants", "/redis")) else ()
            return scene.canaries.leaks("\n".join(page.received), f"{holder} at {path}", but=but)

        paths = (*(page.link.path for page in PAGES), *SPECIAL_PAGES)
        assert [leak for leaks in await asyncio.gather(*map(leaks_of, paths)) for leak in leaks] == []


SPECIAL_PAGES = (
    *(f"/configuration?agent={kind.upper()}" for kind in KINDS),
    *(f"/redis?name={name}" for name in ("stream.config.EXECUTOR", "agent.MAGICBOX", f"{FIRST}.traderActions")),
    "/strategies?agent=MAGICBOX",
)
"""Pages that show what a configuration, a heartbeat or a journal holds."""


async def test_no_agents_metrics_hold_one(scene: Scene) -> None:
    """As Prometheus reads them."""
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{scene.metrics_port}/metrics") as answer:
        assert scene.canaries.leaks(await answer.text(), "metrics") == []


async def test_no_command_prints_one(scene: Scene, tmp_path: Path) -> None:
    """As JSON and as text; `config get` is left out: it prints a configuration as Redis holds it."""
    new = tmp_path / "new.json"
    new.write_text(json.dumps(scene.configs["executor"] | {"colour": scene.canaries.planted[KNOWN]}))
    commands = (
        ["status"], ["orders", "--tenant", FIRST], ["tokens", "list"], ["doctor"], ["alert", "test"],
        ["config", "history", "EXECUTOR"], ["config", "diff", "EXECUTOR", str(new)],
        ["config", "validate", "EXECUTOR", str(new)], ["config", "put", "EXECUTOR", str(new), "--yes"],
    )  # fmt: skip
    leaks: list[str] = []
    for command in commands:
        for more in (["--json"], []):
            result = await asyncio.to_thread(CliRunner().invoke, app, [*command, *more], env=scene.environment("cli"))
            assert result.exception is None or isinstance(result.exception, SystemExit), command
            leaks += scene.canaries.leaks(result.output, " ".join(command), but=shown_in(command[0]))
    assert leaks == []
