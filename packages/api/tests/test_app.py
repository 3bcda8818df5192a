"""Every route of OpenAPI, as seen by unauthenticated clients, other tenants, and generated requests."""

import asyncio
import json
import pkgutil
import re
from collections import Counter
from importlib import import_module
from typing import Any

import httpx
import pytest
import pytest_asyncio
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.routing import Route

from millrace_api import routes
from millrace_api.app import make_app
from millrace_core.names import AgentId

OPEN = {("GET", "/health"), ("GET", "/ready"), ("POST", "/api/v1/session"), ("POST", "/api/v1/session/code")}
BESIDE = ["/api/v1/openapi.json", "/docs"]
"""Served without a token too, and no part of the document."""
OF_NO_TENANT = ("/metrics", "/api/v1/session", "/api/v1/session/code")
NEEDS = {"POST": "trade", "PATCH": "trade", "DELETE": "trade", "PUT": "admin"}
READABLE_POSTS = ("/validate", "/diff", "/session", "/session/code")
"""They change nothing."""
PARTS = {
    "exchange": "kucoin",
    "symbol": "KCS/USDT",
    "order_id": "victims-order",
    "request_id": "0" * 32,
    "action": "watchLiquidations",
    "agent_id": "VICTIM",
    "token_id": "0" * 12,
    "kind": "trades",
}
QUERY = {
    "name": "stream.config.VICTIM",
    "at": "2026-01-01",
    "timeframe": "1m",
    "exchange": "kucoin",
    "symbol": "KCS/USDT",
    "seconds": "0",
}
BODY = {"exchangeId": "kucoin", "payload": {"symbol": "KCS/USDT", "side": "buy", "type": "market", "amountBase": 1}}
HISTORIES = {
    *(
        "trades",
        "candles",
        "tickers",
        "markets",
        "orders",
        "requests",
        "answers",
        "own-trades",
        "balances",
        "failed-executions",
    ),
    *("latencies", "gaps", "dead-letters", "streams", "tokens", "agents", "positions", "exchange-positions", "pnl"),
    "equity",
}
"""What holds something once `stored` is."""
SECRET = "the-victims-own-words"


@pytest_asyncio.fixture(loop_scope="session")
async def document(admin: httpx.AsyncClient) -> Any:
    """The API's own OpenAPI document."""
    return (await admin.get("/api/v1/openapi.json")).json()


def _calls(document: Any) -> list[tuple[str, str, str]]:
    """Return every endpoint: method, path with its parts filled in, and the path as OpenAPI has it."""
    return [
        (method.upper(), path.format(**PARTS), path)
        for path, item in document["paths"].items()
        for method in item
        if method in ("get", "post", "put", "patch", "delete")
    ]


@pytest_asyncio.fixture(loop_scope="session")
async def victim(api: Any, other: Any, bus: Any) -> Any:
    """A tenant with data of every kind that can be had without an executor."""
    config = {"agent": {"id": "VICTIM", "name": SECRET}, "risk": {other: {"symbols": ["KCS/USDT"]}}, "exchanges": {}}
    await bus.put_config(AgentId("VICTIM"), json.dumps(config))
    await api.token(other, "read", SECRET)
    return other


async def test_openapi_describes_every_route(api: Any, document: Any) -> None:
    """So that nothing is served that the tests below would not ask for."""
    modules = [import_module(found.name) for found in pkgutil.iter_modules(routes.__path__, f"{routes.__name__}.")]
    served = {route.operation_id for module in modules for route in module.router.routes}
    assert served == {_operation(document, call) for call in _calls(document)}
    beside = [route.path for route in make_app(api.services).routes if isinstance(route, Route)]
    assert beside == BESIDE


async def test_the_reference_is_open_and_shows_no_data(api: Any, admin: httpx.AsyncClient, victim: Any) -> None:
    """Without a token: every route, no script, nothing from another host, and the same bytes for everyone."""
    async with api.client() as nobody:
        for path in BESIDE:
            found = await nobody.get(path)
            assert found.status_code == 200
            assert found.content == (await admin.get(path)).content
            assert SECRET not in found.text
            assert victim not in found.text
        page = await nobody.get("/docs")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert "<script" not in page.text
    assert not re.search(r"(src|href)=.?(https?:)?//", page.text)
    for route in ("GET /api/v1/orderbooks/{exchange}/{symbol}", "POST /api/v1/halts", "PUT /api/v1/agents/"):
        assert route in page.text


async def test_nothing_but_health_is_served_without_a_token(fresh: Any, document: Any) -> None:
    """Every endpoint, without a token and with a guessed one: 401 in words, recorded, and no data."""
    calls = [call for call in _calls(document) if (call[0], call[2]) not in OPEN]
    calls += [("GET", "/api/v1/nowhere", "")]
    guesses = ({}, {"Authorization": "Bearer mr_0123456789ab_guess"}, {"Cookie": "millrace_session=x"})
    async with fresh.client() as nobody:

        async def ask(call: tuple[str, str, str], headers: dict[str, str]) -> None:
            found = await nobody.request(*call[:2], params=QUERY, json=BODY, headers=headers)
            assert found.status_code == 401, (*call, found.text)
            assert found.headers["content-type"] == "application/problem+json"

        await asyncio.gather(*(ask(call, headers) for call in calls for headers in guesses))
        assert (await nobody.get("/health")).status_code == 200
    denied = Counter(row["action"] for row in await fresh.audit("-") if row["outcome"] == "denied")
    assert denied == {f"{method} {path}": len(guesses) for method, path, _ in calls}


@pytest.mark.parametrize(("role", "allowed"), [("read", ()), ("trade", ("trade",))])
async def test_a_lesser_token_changes_nothing(
    api: Any, tenant: Any, document: Any, role: str, allowed: tuple[str, ...]
) -> None:
    """Every endpoint that changes something, with a token that may not: 403, and recorded."""
    calls = [call for call in _calls(document) if _needed(call[0], call[2]) not in (None, *allowed)]
    async with api.client(await api.token(tenant, role)) as client:

        async def ask(method: str, path: str, template: str) -> None:
            found = await client.request(method, path, params=_query(document, method, template), json=BODY)
            assert found.status_code == 403, (method, path, found.text)
            assert str(_needed(method, template)) in found.json()["detail"]

        await asyncio.gather(*(ask(*call) for call in calls))
    expected = Counter(_operation(document, call) for call in calls)
    assert await _denied(api, tenant, expected.total()) == expected


async def test_another_tenants_data_is_denied_and_never_shown(
    api: Any, tenant: Any, victim: Any, document: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every endpoint with another tenant's token: naming the victim is 403 and recorded; else nothing of it is seen."""
    calls = [call for call in _calls(document) if (call[0], call[2]) not in OPEN and call[2] not in OF_NO_TENANT]
    expected: Counter[str] = Counter()
    monkeypatch.setattr("millrace_api.access.refusals.SUM_S", 0.1)
    async with api.client(await api.token(tenant)) as stranger:

        async def ask(call: tuple[str, str, str]) -> None:
            method, path, template = call
            query = _query(document, method, template)
            named = await stranger.request(method, path, params=query | {"tenant": victim}, json=BODY)
            # What is asked for in a form that nobody may use is refused before it is asked whose it is.
            assert named.status_code == 403 or (named.status_code == 422 and method != "GET"), (*call, named.text)
            own = await stranger.get(path, params=query) if method == "GET" else named
            assert own.status_code in (200, 403, 404, 422), (*call, own.text)
            assert SECRET not in named.text + own.text
            answers = [named] if own is named else [named, own]
            expected[_operation(document, call)] += sum(each.status_code in (403, 404) for each in answers)

        await asyncio.gather(*(ask(call) for call in calls))
    assert await _denied(api, tenant, expected.total()) == +expected


async def _denied(api: Any, tenant: Any, times: int) -> Counter[str]:
    """Count what the audit trail says was denied, by operation, once it says so of as many; rows may be sums."""
    async with asyncio.timeout(20):
        while True:
            denied = [row for row in await api.audit(tenant) if row["outcome"] == "denied"]
            found: Counter[str] = Counter()
            for row in denied:
                found[row["action"]] += row["detail"].get("times", 1)
            if found.total() >= times:
                return found
            await asyncio.sleep(0.01)


def _query(document: Any, method: str, template: str) -> dict[str, str]:
    """Return parameters that an endpoint has."""
    reported = document["paths"][template][method.lower()].get("parameters", ())
    return {each["name"]: QUERY[each["name"]] for each in reported if each["in"] == "query" and each["name"] in QUERY}


def _operation(document: Any, call: tuple[str, str, str]) -> str:
    method, _, template = call
    return str(document["paths"][template][method.lower()]["operationId"])


def _needed(method: str, template: str) -> str | None:
    if template.endswith(READABLE_POSTS):
        return None
    if template.endswith(("/rollback", "/restart", "/audit")) or "/tokens" in template:
        return "admin"
    return NEEDS.get(method)


async def test_whatever_is_sent_the_answer_is_one_that_openapi_describes(
    api: Any, tenant: Any, book: Any, document: Any
) -> None:
    """Schemathesis over every endpoint: no 5xx, no status, type, header or body outside the schema."""
    api.services.configure(api.services.config.model_copy(update={"answer_timeout_ms": 0}))
    token = await api.token(tenant)
    await asyncio.to_thread(_try_everything, document, api.url, token)


async def test_a_parameter_that_is_mistyped_is_not_passed_over(admin: httpx.AsyncClient) -> None:
    """It would cancel more, or show more, than was meant: 422, naming it and what there is."""
    for method, path in (("DELETE", "/api/v1/orders"), ("GET", "/api/v1/trades"), ("GET", "/health")):
        found = await admin.request(method, path, params={"exchange": "kucoin", "symbl": "KCS/USDT"})
        assert found.status_code == 422
        assert "query.symbl" in [each["path"] for each in found.json()["problems"]]


def test_makers_of_clients_can_read_what_openapi_tells(document: Any) -> None:
    """No tuples, no lists of booleans, and no name that is one of their own: of these they make nothing that works."""
    text = json.dumps(document)
    assert "prefixItems" not in text
    assert '"enum": [true]' not in text
    assert "Response" not in document["components"]["schemas"]


async def test_rows_are_as_openapi_tells(api: Any, tenant: Any, document: Any, admin: Any, stored: Any) -> None:
    """Every history returns what is stored, each row in the form that OpenAPI documents."""
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
