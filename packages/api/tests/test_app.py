"""The whole of what OpenAPI tells of, as strangers, other tenants and machines that try everything see it."""

import asyncio
import json
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from millrace_core.names import AgentId

OPEN = {("GET", "/health"), ("GET", "/ready"), ("POST", "/api/v1/session")}
NEEDS = {"POST": "trade", "PATCH": "trade", "DELETE": "trade", "PUT": "admin"}
READABLE_POSTS = ("/validate", "/diff", "/session")
"""They change nothing."""
PARTS = {
    "exchange": "kucoin",
    "symbol": "KCS/USDT",
    "order_id": "victims-order",
    "request_id": "0" * 32,
    "action": "watchPositions",
    "agent_id": "VICTIM",
    "token_id": "0" * 12,
    "kind": "trades",
}
QUERY = {"at": "2026-01-01", "timeframe": "1m", "exchange": "kucoin", "symbol": "KCS/USDT", "seconds": "0"}
BODY = {"exchangeId": "kucoin", "payload": {"symbol": "KCS/USDT", "side": "buy", "type": "market", "amountBase": 1}}
HISTORIES = {
    *("trades", "candles", "tickers", "orders", "requests", "answers", "own-trades", "balances", "failed-executions"),
    *("latencies", "gaps", "dead-letters", "streams", "tokens", "agents"),
}
"""What holds something once `stored` is."""
SECRET = "the-victims-own-words"


@pytest.fixture
async def document(admin: httpx.AsyncClient) -> Any:
    """What the API tells of itself."""
    return (await admin.get("/api/v1/openapi.json")).json()


def _calls(document: Any) -> list[tuple[str, str, str]]:
    """Give every endpoint: method, path with its parts filled in, and the path as OpenAPI has it."""
    return [
        (method.upper(), path.format(**PARTS), path)
        for path, item in document["paths"].items()
        for method in item
        if method in ("get", "post", "put", "patch", "delete")
    ]


@pytest.fixture
async def victim(api: Any, other: Any, bus: Any) -> Any:
    """A tenant with data of every kind that can be had without an executor."""
    config = {"agent": {"id": "VICTIM", "name": SECRET}, "risk": {other: {"symbols": ["KCS/USDT"]}}, "exchanges": {}}
    await bus.put_config(AgentId("VICTIM"), json.dumps(config))
    await api.token(other, "read", SECRET)
    return other


async def test_nothing_but_health_is_served_without_a_token(api: Any, document: Any) -> None:
    """Every endpoint, without a token and with a guessed one: 401 in words, recorded, and no data."""
    calls = [call for call in _calls(document) if (call[0], call[2]) not in OPEN]
    assert len(calls) > 35
    async with api.client() as nobody:
        for method, path, _ in calls:
            for headers in ({}, {"Authorization": "Bearer mr_0123456789ab_guess"}, {"Cookie": "millrace_session=x"}):
                found = await nobody.request(method, path, params=QUERY, json=BODY, headers=headers)
                assert found.status_code == 401, (method, path, found.text)
                assert found.headers["content-type"] == "application/problem+json"
        assert (await nobody.get("/api/v1/nowhere")).status_code == 401
        assert (await nobody.get("/api/v1/openapi.json")).status_code == 401
        assert (await nobody.get("/health")).status_code == 200
    trail = await api.audit("-")
    assert len(trail) >= 3 * len(calls)
    assert {row["outcome"] for row in trail} == {"denied"}


async def test_a_token_that_only_reads_changes_nothing(api: Any, tenant: Any, document: Any) -> None:
    """Every endpoint that changes something, with lesser tokens: 403, and recorded."""
    for role, allowed in (("read", ()), ("trade", ("trade",))):
        async with api.client(await api.token(tenant, role)) as client:
            for method, path, template in _calls(document):
                needed = _needed(method, template)
                if needed is None or needed in allowed:
                    continue
                found = await client.request(method, path, params=QUERY, json=BODY)
                assert found.status_code == 403, (method, path, found.text)
                assert needed in found.json()["detail"]
                trail = await api.audit(tenant)
                assert trail[-1]["action"] == document["paths"][template][method.lower()]["operationId"]
                assert trail[-1]["outcome"] == "denied"


async def test_another_tenants_data_is_denied_and_never_shown(
    api: Any, tenant: Any, victim: Any, document: Any
) -> None:
    """Every endpoint with another tenant's token: naming the victim is 403 and recorded; else nothing of it is seen."""
    async with api.client(await api.token(tenant)) as stranger:
        for method, path, template in _calls(document):
            if (method, template) in OPEN or template in ("/metrics", "/api/v1/session"):
                continue
            named = await stranger.request(method, path, params=QUERY | {"tenant": victim}, json=BODY)
            assert named.status_code in ((403, 422) if method != "GET" else (403,)), (method, path, named.text)
            assert SECRET not in named.text
            if named.status_code == 403:
                assert (await api.audit(tenant))[-1]["outcome"] == "denied"
            if method == "GET":
                own = await stranger.get(path, params=QUERY)
                assert own.status_code in (200, 404, 422), (path, own.text)
                assert SECRET not in own.text


def _needed(method: str, template: str) -> str | None:
    if template.endswith(READABLE_POSTS):
        return None
    if template.endswith(("/rollback", "/audit")) or "/tokens" in template:
        return "admin"
    return NEEDS.get(method)


async def test_whatever_is_sent_the_answer_is_one_that_openapi_tells_of(
    api: Any, tenant: Any, book: Any, document: Any
) -> None:
    """Schemathesis over every endpoint: no 5xx, no status, type, header or body outside the schema."""
    api.services.configure(api.services.config.model_copy(update={"answer_timeout_ms": 0}))
    token = await api.token(tenant)
    await asyncio.to_thread(_try_everything, document, api.url, token)


async def test_rows_are_as_openapi_tells(api: Any, tenant: Any, document: Any, admin: Any, stored: Any) -> None:
    """Every history gives what is stored of it, each row of the form that OpenAPI has for it."""
    schema = schemathesis.openapi.from_dict(document)
    listed = []
    for operation in (found.ok() for found in schema.get_all_operations()):
        if operation.method != "get" or operation.path.endswith(("/openapi.json", "/events")):
            continue
        path = operation.path.format(**PARTS | stored)
        found = await admin.get(path, params={"timeframe": "1m"} if path.endswith("/candles") else {})
        if found.status_code == 200 and found.headers["content-type"] == "application/json":
            case = operation.Case(path_parameters=PARTS | stored)
            await asyncio.to_thread(case.validate_response, found, checks=[response_schema_conformance])
            listed += [path.rpartition("/")[2]] if found.json().get("items") else []
    assert set(listed) >= HISTORIES


def _try_everything(document: Any, url: str, token: str) -> None:
    schema = schemathesis.openapi.from_dict(document)
    checks = [
        not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_headers_conformance,
        response_schema_conformance,
    ]
    for operation in schema.get_all_operations():
        _try(operation.ok(), url, token, checks)


def _try(operation: Any, url: str, token: str, checks: list[Any]) -> None:
    @given(case=operation.as_strategy())
    @settings(max_examples=6, deadline=None, database=None, suppress_health_check=list(HealthCheck), derandomize=True)
    def attempt(case: Any) -> None:
        if operation.path.endswith("/agents/events"):
            case.query = {**(case.query or {}), "seconds": 0}
        response = case.call(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=20)
        case.validate_response(response, checks=checks)

    attempt()
