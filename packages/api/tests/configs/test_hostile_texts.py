"""Texts that stand at an agent's key, or are sent to be put there, and are hardly configurations."""

import json
from typing import Any

import pytest
from redis.asyncio import Redis

from millrace_core.config import ExecutorConfig, parse_config, revision
from millrace_core.errors import ConfigInvalid
from millrace_core.names import PUBLIC, AgentId, config_key

TEXTS = {
    "no JSON": b"{",
    "not UTF-8": b"\xff\xfe\x00",
    "UTF-16": '{"agent": {"id": "E"}}'.encode("utf-16"),
    "deep": b'{"agent":' * 60_000,
    "deep lists": b'{"agent":' + b"[" * 800 + b"]" * 800 + b"}",
    "a surrogate": b'{"agent": {"id": "\\ud800"}}',
    "infinity": b'{"agent": {"id": "E"}, "risk": {"T": {"maxOpenOrders": Infinity}}}',
    "a huge float": b'{"agent": {"id": "E"}, "risk": {"T": {"maxOpenOrders": 1e999}}}',
    "a huge number": b'{"agent": {"id": "E"}, "risk": {"T": {"maxOpenOrders": 1' + b"0" * 400 + b"}}}",
    "a longer number": b'{"agent": {"id": "E"}, "risk": {"T": {"maxOpenOrders": 1' + b"0" * 5_000 + b"}}}",
    "twice": b'{"agent": {"id": "E"}, "risk": {}, "risk": {"T": {}}}',
    "a list": b"[]",
    "nothing": b"",
    "null": b"null",
    "NUL": b'{"agent": {"id": "E\x00"}}',
    "odd kinds": b'{"agent": 5, "exchanges": {"T": 7}, "workplans": [{"tenant": {}}, 3], "risk": []}',
}
MISTAKES_OF_THE_MODEL = ("odd kinds", "a huge number")
"""They are no mistakes in the form of a configuration."""


@pytest.mark.parametrize("kind", TEXTS)
async def test_whatever_stands_there_is_shown_with_what_is_wrong(
    kind: str, api: Any, bus: Any, redis: Any, tenant: Any, admin: Any
) -> None:
    """Now and in the history; no list of configurations fails for it, and what is put over it is put."""
    agent, text = AgentId(f"EXECUTOR-{tenant}"), TEXTS[kind]
    async with Redis.from_url(redis.url) as raw:
        await raw.set(config_key(agent), text)
        await raw.sadd("index.configs", agent)
    async with api.store.batch() as batch:
        batch.config(agent, revision(text), 1, text.decode(errors="replace").replace("\x00", ""), None)
    path, params = f"/api/v1/agents/{agent}/config", {"kind": "executor"}
    async with api.client(await api.token(PUBLIC)) as operator:
        found = await operator.get(path)
        assert found.status_code == 200
        others = ("configs", "tenants", "halts", f"redis/value?name={config_key(agent)}")
        for each in (f"{path}/history", *(f"/api/v1/{other}" for other in others)):
            assert (await operator.get(each)).status_code == 200, each
            assert (await admin.get(each)).status_code in (200, 403, 404), each
        (version,) = (await operator.get(f"{path}/history")).json()["items"]
        if kind not in (*MISTAKES_OF_THE_MODEL, "NUL"):
            assert version["problems"]
            assert found.json()["problems"]
        headers = {"If-Match": found.headers["etag"]}
        wanted = {"revision": version["revision"]}
        back = await operator.post(f"{path}/rollback", json=wanted, headers=headers, params=params)
        assert back.status_code == 422
        good = {"agent": {"id": agent}, "risk": {tenant: {}}}
        assert (await operator.post(f"{path}/diff", json=good, params=params)).status_code == 200
        put = await operator.put(path, json=good, headers=headers, params=params)
        assert put.status_code == 200, put.text
    assert (await admin.get(path)).status_code == 200


@pytest.mark.parametrize("kind", TEXTS)
async def test_the_api_and_the_agent_read_alike(kind: str, admin: Any, tenant: Any) -> None:
    """What the agent would refuse is refused by every route that takes a configuration."""
    with pytest.raises(ConfigInvalid):
        parse_config(ExecutorConfig, TEXTS[kind])
    path, params = f"/api/v1/agents/EXECUTOR-{tenant}/config", {"kind": "executor"}
    calls = [("PUT", ""), ("POST", "/validate")] + ([("POST", "/diff")] if kind not in MISTAKES_OF_THE_MODEL else [])
    for method, end in calls:
        found = await admin.request(method, path + end, content=TEXTS[kind], params=params)
        assert found.status_code in (403, 413, 422), (method, end)


async def test_a_byte_order_mark_is_passed_over_by_both(admin: Any, tenant: Any) -> None:
    """Some editors write it."""
    agent = f"EXECUTOR-{tenant}"
    text = b"\xef\xbb\xbf" + json.dumps({"agent": {"id": agent}, "risk": {tenant: {}}}).encode()
    assert parse_config(ExecutorConfig, text).agent.id == agent
    put = await admin.put(f"/api/v1/agents/{agent}/config", content=text, params={"kind": "executor"})
    assert put.status_code == 200, put.text


async def test_a_new_agents_id_says_whose_it_is(api: Any, admin: Any, tenant: Any, other: Any) -> None:
    """A tenant puts the first configuration of agents that are named after it; all others are the operator's."""
    params, operators = {"kind": "executor"}, f"DBSYNC{tenant.replace('-', '_')}"
    for agent, status in ((f"E-{tenant}", 200), (f"E-{other}", 404), (operators, 404), (f"X-E-{tenant}", 404)):
        config = {"agent": {"id": agent}, "risk": {tenant: {}}}
        put = await admin.put(f"/api/v1/agents/{agent}/config", json=config, params=params)
        assert put.status_code == status, agent
    path, config = f"/api/v1/agents/{operators}/config", {"agent": {"id": operators}, "risk": {tenant: {}}}
    async with api.client(await api.token(PUBLIC)) as operator:
        given = await operator.put(path, json=config, params=params)
    changed, headers = config | {"environment": "test"}, {"If-Match": given.headers["etag"]}
    assert (await admin.put(path, json=changed, params=params, headers=headers)).status_code == 200


@pytest.mark.parametrize(
    ("url", "is_allowed"),
    [
        ("http://127.0.0.1:6379", False),
        ("http://127.1/", False),
        ("http://2130706433/", False),
        ("ws://localhost:8080", False),
        ("http://169.254.169.254/latest/meta-data", False),
        ("http://10.1.2.3/", False),
        ("http://[::1]/", False),
        ("http://[::ffff:127.0.0.1]/", False),
        ("http://[2002:7f00:1::]/", False),
        ("http://[64:ff9b::10.1.2.3]/", False),
        ("http://[", False),
        ("10.1.2.3:80", False),
        ("http://0.0.0.0/", False),
        ("http://8.8.8.8/", True),
        ("http://10.7.0.1/", True),
    ],
)
async def test_addresses_of_a_tenant_are_public(url: str, is_allowed: bool, api: Any, admin: Any, tenant: Any) -> None:
    """Or in a network that the operator allows; the operator puts any, and what it put a tenant may keep."""
    own = b'{"agent": {"id": "API"}, "tenantNetworks": ["10.7.0.0/16"]}'
    networks = parse_config(type(api.services.config), own).tenant_networks
    api.services.configure(api.services.config.model_copy(update={"tenant_networks": networks}))
    agent = f"EXECUTOR-{tenant}"
    path, params = f"/api/v1/agents/{agent}/config", {"kind": "executor"}
    account = {"apiKey": "k", "secret": "s", "urls": {"api": {"public": [url]}}}
    config = {"agent": {"id": agent}, "exchanges": {tenant: {"kucoin": account}}, "risk": {tenant: {}}}
    found = await admin.post(f"{path}/validate", json=config, params=params)
    assert (found.status_code == 200) == is_allowed, found.text
    if not is_allowed:
        (problem,) = found.json()["problems"]
        assert problem["path"] == f"$.exchanges.{tenant}.kucoin.urls.api.public[0]"
        async with api.client(await api.token(PUBLIC)) as operator:
            put = await operator.put(path, json=config, params=params)
            assert put.status_code == 200, put.text
        changed, headers = config | {"environment": "test"}, {"If-Match": put.headers["etag"]}
        assert (await admin.put(path, json=changed, params=params, headers=headers)).status_code == 200


async def test_a_tenant_drops_nobodys_rows(api: Any, admin: Any, tenant: Any) -> None:
    """The retention of a dbsync is that of the whole database; what the operator put a tenant may keep."""
    agent, params = f"DBSYNC-{tenant}", {"kind": "dbsync"}
    path = f"/api/v1/agents/{agent}/config"
    config = {"agent": {"id": agent}, "workplans": [{"tenant": tenant, "assets": [f"stream.{tenant}.*"]}]}
    dropping = config | {"retention": {"tradesDays": 1}}
    refused = await admin.put(path, json=dropping, params=params)
    assert [problem["path"] for problem in refused.json()["problems"]] == ["$.retention"]
    assert (await admin.put(path, json=config, params=params)).status_code == 200
    async with api.client(await api.token(PUBLIC)) as operator:
        found = await operator.get(path)
        put = await operator.put(path, json=dropping, params=params, headers={"If-Match": found.headers["etag"]})
    kept, headers = dropping | {"environment": "test"}, {"If-Match": put.headers["etag"]}
    assert (await admin.put(path, json=config, params=params, headers=headers)).status_code == 422
    assert (await admin.put(path, json=kept, params=params, headers=headers)).status_code == 200


async def test_nobody_learns_which_addresses_anothers_configuration_names(
    api: Any, admin: Any, tenant: Any, other: Any
) -> None:
    """What stands at the key of another tenant's agent excuses nothing, whether it is the right address or not."""
    agent, params = f"EXECUTOR-{other}", {"kind": "executor"}
    path = f"/api/v1/agents/{agent}/config"

    def config(of: Any, port: int) -> dict[str, Any]:
        account = {"apiKey": "k", "secret": "s", "urls": {"api": f"http://10.1.2.3:{port}"}}
        return {"agent": {"id": agent}, "exchanges": {of: {"kucoin": account}}, "risk": {of: {}}}

    async with api.client(await api.token(PUBLIC)) as operator:
        assert (await operator.put(path, json=config(other, 81), params=params)).status_code == 200
    answers = [await admin.post(f"{path}/validate", json=config(tenant, port), params=params) for port in (81, 82)]
    assert [each.status_code for each in answers] == [404, 404]
    assert answers[0].json() == answers[1].json()


@pytest.mark.parametrize(
    ("kind", "costly", "path"),
    [
        pytest.param("gatherer", {"workers": 64}, "$.workers", id="processes"),
        pytest.param("gatherer", {"workerLimits": {"memoryMb": 9_000}}, "$.workerLimits", id="memory"),
        pytest.param("gatherer", {"workplans": [(600, 10)]}, "$.workplans", id="streams"),
        pytest.param("gatherer", {"workplans": [(1_000, 101)]}, "$.workplans", id="more streams than anybody's"),
        pytest.param("magicbox", {"workplans": [(21, 500)]}, "$.workplans", id="strategies"),
        pytest.param("magicbox", {"workplans": [(1, 501)]}, "$.workplans[0].plugins[0].limits.memoryMb", id="strategy"),
    ],
)
async def test_what_a_tenant_puts_is_no_load_for_others(
    kind: str, costly: dict[str, Any], path: str, api: Any, admin: Any, tenant: Any
) -> None:
    """The operator may put it, unless no agent could bear it, and then the tenant may keep it."""
    agent = f"{kind.upper()}-{tenant}"
    place, params = f"/api/v1/agents/{agent}/config", {"kind": kind}
    make = _gathering if kind == "gatherer" else _trading
    usual = {"agent": {"id": agent}, "workplans": [make(tenant, 1, 100)]}
    if kind == "gatherer":
        usual["exchanges"] = {tenant: {"binance": {}}}
    config = usual | costly
    config["workplans"] = [each if isinstance(each, dict) else make(tenant, *each) for each in config["workplans"]]
    assert (await admin.post(f"{place}/validate", json=usual, params=params)).status_code == 200
    refused = await admin.put(place, json=config, params=params)
    assert [problem["path"] for problem in refused.json()["problems"]] == [path]
    async with api.client(await api.token(PUBLIC)) as operator:
        put = await operator.put(place, json=config, params=params)
    if "100,000 at most" in refused.text:
        assert put.status_code == 422
        return
    kept, headers = config | {"environment": "test"}, {"If-Match": put.headers["etag"]}
    assert (await admin.put(place, json=kept, params=params, headers=headers)).status_code == 200


def _gathering(tenant: str, symbols: int, points: int) -> dict[str, Any]:
    wanted = [{"action": "watchOrderBook", "limit": 1 + number} for number in range(points)]
    pairs = [f"A{number}/B" for number in range(symbols)]
    return {"tenant": tenant, "exchangeId": "binance", "assetPairs": pairs, "dataPoints": wanted}


def _trading(tenant: str, plugins: int, memory_mb: int) -> dict[str, Any]:
    each = {"pluginName": "PingPong", "limits": {"memoryMb": memory_mb}}
    wanted = [each | {"name": f"p{number}"} for number in range(plugins)]
    feed = {"exchangeId": "binance", "symbol": "A/B", "dataPoint": "watchOrderBook", "isPublic": True}
    return {"tenant": tenant, "plugins": wanted, "subscriptions": [feed]}


async def test_nobody_learns_whether_there_is_anothers_agent(
    api: Any, admin: Any, tenant: Any, other: Any, bus: Any
) -> None:
    """Nor its kind: agents' ids name tenants. Whatever is asked, one that is not there is answered in the same way."""
    there, missing = f"EXECUTOR-{other}", f"EXECUTER-{other}"
    await bus.put_config(AgentId(there), json.dumps({"agent": {"id": there}, "risk": {other: {}}}))
    for params in ({}, {"kind": "executor"}):
        for method, path in (("PUT", ""), ("POST", "/validate"), ("POST", "/diff"), ("GET", "")):
            answers = []
            for agent in (there, missing):
                body = {"agent": {"id": agent}, "risk": {tenant: {}}} if method != "GET" else None
                asked = {} if method == "GET" else params
                found = await admin.request(method, f"/api/v1/agents/{agent}/config{path}", json=body, params=asked)
                answers.append((found.status_code, found.json()["detail"]))
            assert answers[0] == answers[1], path
            assert answers[0][0] == 404
