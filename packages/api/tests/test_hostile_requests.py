"""Seeded hostile requests to every route, byte by byte as no client library would send them: never a 5xx.

A few hundred by default, beside SQLite; `MILLRACE_HOSTILE=20000` sends so many, beside PostgreSQL too, and
`MILLRACE_HOSTILE_SEED` begins elsewhere.
"""

import asyncio
import base64
import json
import os
import random
import shutil
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import structlog
from packages.api.tests.conftest import in_session, serving

from millrace_api.app import make_app
from millrace_store import Store
from millrace_store.testing import PostgresServer

REQUESTS = int(os.environ.get("MILLRACE_HOSTILE", "400"))
SEED = int(os.environ.get("MILLRACE_HOSTILE_SEED", "1"))
DATABASES = ["sqlite", "postgresql"] if "MILLRACE_HOSTILE" in os.environ else ["sqlite"]
AT_ONCE = 8
DEEP = 60_000
NUMBERS = ["0", "-1", "9" * 19, "9" * 30, "9" * 5_000, "1e999", "NaN", "Infinity", "-0", "0x10", "1_000", "٣"]
TEXTS = [
    *(
        "",
        " ",
        "[",
        "]",
        "*",
        "?",
        "/",
        "..",
        "../..",
        "%",
        "{}",
        "\x00",
        "\n",
        "\r\nX: y",
        "'",
        '"',
        "a" * 5_000,
    ),
    *("PUBLIC", "config", "snapshot", "stream.config.X", "KCS/USDT", "null", "true", "\u202e", "é", "\U0001f600"),
    *("2026-01-01", "20261127", "9999-12-31T23:59:59Z", "2026-02-30", "5m", "1w", "366d", "1000d", "trades", "admin"),
    *("http://[", "http://a:99999999", "mr_0123456789ab_x", "Bearer", 'W/"1"', "=", "a=b;c", "1-1", "9" * 15 + "-1"),
    *NUMBERS,
]
ESCAPES = ["%00", "%ff", "%ed%a0%80", "%c0%80", "%zz", "%", "%25", "%2f", "%2e%2e%2f", "%0d%0aX:y", "+", "%F4%90%80%80"]
HEADERS = ["Origin", "Host", "If-Match", "Idempotency-Key", "Cookie", "X-CSRF-Token", "Content-Type", "Accept", "Range"]
LIVE = "/api/v1/live"
UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
CURSORS = [
    *(b"[" * 900, b"[1,2,3,4,5]", b"[9e99]", b'["\\ud800"]', b'["\\u0000",1]'),
    *(b"[1" + b"0" * 50 + b"]", b"[true]", b"{}", b"\xff", b"[1]", b'["a",1]', b'[1,"a","b","c"]'),
]
BODIES = [
    b"",
    b"{",
    b"null",
    b"[]",
    b"\xff\xfe{}",
    b"\x00",
    b"[" * DEEP,
    b'{"agent":' * DEEP,
    b'{"agent":' + b"[" * 900 + b"]" * 900 + b"}",
    b'{"agent":{"id":"\\ud800"}}',
    b'{"token":"\\u0000"}',
    b'{"token":"' + b"x" * 100_000 + b'"}',
    b'{"a":1e999,"a":Infinity}',
    b'{"expiresMs":' + b"9" * 400 + b"}",
    b'{"expiresMs":' + b"9" * 5_000 + b"}",
    b"x" * 1_000_001,
]
FIELDS: dict[str, list[Any]] = {
    "exchangeId": ["kucoin", *TEXTS],
    "payload": [{"symbol": "A/B", "side": "buy", "type": "limit", "amountBase": 1, "price": "1e-999999"}, None, [], 5],
    "tenant": TEXTS,
    "exchange": TEXTS,
    "orderSource": TEXTS,
    "reason": TEXTS,
    "unit": TEXTS,
    "name": TEXTS,
    "role": ["admin", *TEXTS],
    "revision": TEXTS,
    "code": TEXTS,
    "token": TEXTS,
    "validFor": [-1, 2**63, 1e300, "5"],
    "agent": [{"id": "X"}, {"id": "\x00"}, 5, []],
    "exchanges": [{"T": {"kucoin": {"urls": {"a": "http://["}}}}, {"": {"": {}}}, [[]], 7],
    "risk": [{"T": 5}, {"\x00": {}}, None],
    "workplans": [[{"tenant": {}}], [[]], 7],
}


@dataclass(frozen=True)
class Hostile:
    """Makes requests; each number is always the same one."""

    routes: list[tuple[str, str, list[str]]]
    token: str

    def request(self, number: int) -> bytes:
        """Return the bytes of a request."""
        chance = random.Random(SEED * 1_000_003 + number)
        method, path, names = chance.choice(self.routes)
        if chance.random() < 0.1:
            method = chance.choice(["GET", "PUT", "POST", "DELETE", "PATCH", "HEAD", "OPTIONS", "BREW"])
        filled = "/".join(self._part(chance, part) for part in path.split("/"))
        query = "&".join(self._parameter(chance, names) for _ in range(chance.randrange(4)))
        body = self._body(chance) if method not in ("GET", "HEAD") or chance.random() < 0.1 else b""
        headers = {"Host": "x", "Content-Length": str(len(body))} | self._headers(chance)
        if path == LIVE and chance.random() < 0.9:
            method, headers = "GET", headers | UPGRADE
        lines = [f"{method} {filled}{'?' if query else ''}{query} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogatepass") + body

    def _part(self, chance: random.Random, part: str) -> str:
        return self._value(chance) if part.startswith("{") or chance.random() < 0.02 else part

    def _parameter(self, chance: random.Random, names: list[str]) -> str:
        name = chance.choice(names) if names and chance.random() < 0.9 else self._value(chance)
        if name == "cursor" and chance.random() < 0.7:
            return "cursor=" + base64.urlsafe_b64encode(chance.choice(CURSORS)).decode().rstrip("=")
        return f"{name}={self._value(chance)}"

    def _value(self, chance: random.Random) -> str:
        text = chance.choice(TEXTS) if chance.random() < 0.7 else chance.choice(ESCAPES)
        if chance.random() < 0.1:
            return text.replace(" ", "").replace("\n", "").replace("\r", "")
        return text if text in ESCAPES else quote(text, safe="")

    def _headers(self, chance: random.Random) -> dict[str, str]:
        found = {}
        if chance.random() < 0.8:
            found["Authorization"] = f"Bearer {self.token}"
        elif chance.random() < 0.5:
            found["Authorization"] = chance.choice(TEXTS).replace("\n", "").replace("\r", "")
        else:
            found["Cookie"] = f"millrace_session={chance.choice(TEXTS)!r}"
        for _ in range(chance.randrange(3)):
            found[chance.choice(HEADERS)] = chance.choice(TEXTS).replace("\n", "").replace("\r", "").replace("\x00", "")
        return found

    def _body(self, chance: random.Random) -> bytes:
        if chance.random() < 0.4:
            return chance.choice(BODIES)
        names = chance.sample(list(FIELDS), chance.randrange(1, 5))
        return json.dumps({name: chance.choice(FIELDS[name]) for name in names}).encode()


def _routes(api: Any) -> list[tuple[str, str, list[str]]]:
    document = make_app(api.services).openapi_schema
    assert document is not None
    return [
        (method.upper(), path, [each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"])
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ] + [("GET", LIVE, []), ("GET", "/docs", []), ("GET", "/api/v1/openapi.json", [])]


async def _status(port: int, request: bytes) -> int:
    """Return the status of the answer; 0 if the connection was closed without one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        line = await reader.readline()
        return int(line.split(b" ")[1]) if line else 0
    except ConnectionError:
        return 0
    finally:
        writer.transport.abort()


@pytest.fixture(params=DATABASES)
def server(request: Any) -> PostgresServer | None:
    """The server of this test's database; None where it is the turn of SQLite."""
    found: PostgresServer | None = request.getfixturevalue("postgres") if request.param != "sqlite" else None
    return found


@in_session()
async def attacked(server: PostgresServer | None, redis: Any, empty: Path, tmp_path: Path) -> AsyncIterator[Any]:
    """An API of its own."""
    if server is None:
        shutil.copy(empty, tmp_path / "test.db")
        async with serving(redis, tmp_path / "test.db") as api:
            yield api
        return
    url = await server.database(f"t{os.urandom(6).hex()}")
    async with Store.open(url):
        pass
    async with serving(redis, url) as api:
        yield api


async def test_no_request_is_an_internal_error(attacked: Any, tenant: Any) -> None:
    """Whatever is sent, the answer is the sender's mistake; the log has a line for it at most, and no traceback."""
    roomy = {"answer_timeout_ms": 0, "failures_per_minute": 1_000_000.0, "failures_burst": 1_000_000}
    limits = attacked.services.config.tenant_limits.model_copy(update={"rows_per_minute": 1_000_000_000_000})
    attacked.services.configure(attacked.services.config.model_copy(update=roomy | {"tenant_limits": limits}))
    hostile = Hostile(_routes(attacked), await attacked.token(tenant))
    statuses: Counter[int] = Counter()
    numbers = iter(range(REQUESTS))

    async def send() -> None:
        for number in numbers:
            request = hostile.request(number)
            try:
                async with asyncio.timeout(30):
                    status = await _status(attacked.server.port, request)
            except TimeoutError:
                pytest.fail(f"no answer to number {number}: {request[:2_000]!r}")
            assert status < 500, (number, status, request[:2_000])
            statuses[status] += 1

    with structlog.testing.capture_logs() as logged:
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(send())
    assert statuses.total() == REQUESTS
    assert statuses[422] > REQUESTS / 20
    assert [entry for entry in logged if entry["log_level"] in ("error", "critical")] == []
    async with attacked.client(hostile.token) as client:
        assert (await client.get("/api/v1/session")).status_code == 200


async def test_a_strangers_origin_is_no_internal_error(fresh: Any, tenant: Any) -> None:
    """An origin that is no address is a page of nobody; the attempt is counted against its address."""
    fresh.services.configure(fresh.services.config.model_copy(update={"failures_per_minute": 1.0, "failures_burst": 2}))
    token = await fresh.token(tenant)
    async with fresh.client() as stranger:
        headers = {"Origin": "http://["}
        tried = [await stranger.post("/api/v1/session", json={"token": token}, headers=headers) for _ in range(3)]
    assert [found.status_code for found in tried] == [403, 403, 429]


@pytest.mark.parametrize("request_", [b"Content-Length: 5\r\n%b\r\nabcde", b"X: %b\r\n%%b\r\n" % (b"9" * 17_000)])
async def test_another_websocket_is_answered(request_: bytes, api: Any) -> None:
    """There is one path for them; a request for any other holds no connection, whatever comes with it."""
    upgrade = b"".join(f"{name}: {value}\r\n".encode() for name, value in UPGRADE.items())
    async with asyncio.timeout(20):
        text = b"GET /api/v1/other HTTP/1.1\r\nHost: x\r\n" + request_ % upgrade
        assert await _status(api.server.port, text) == 404
