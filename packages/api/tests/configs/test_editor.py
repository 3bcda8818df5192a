"""Agents' configurations by the API, on a real bus and a real database."""

import asyncio
import json
import secrets
from typing import Any

import pytest
import pytest_asyncio

from millrace_api.configs.models import MODELS
from millrace_core.names import PUBLIC, AgentId

SECRET = "s3cr3t-of-the-account"


@pytest.fixture
def config(tenant: Any) -> dict[str, Any]:
    """An executor's configuration of this tenant alone."""
    keys = {"apiKey": "the-key-of-it", "secret": SECRET, "password": "enc:AAAA"}
    return {
        "agent": {"id": f"EXECUTOR-{tenant}", "name": "Executor"},
        "exchanges": {tenant: {"kucoin": keys}},
        "risk": {tenant: {"maxOpenOrders": 5}},
    }


@pytest_asyncio.fixture(loop_scope="session")
async def path(bus: Any, config: Any) -> str:
    """Put the configuration in force; return its path."""
    agent = config["agent"]["id"]
    await bus.put_config(AgentId(agent), json.dumps(config))
    return f"/api/v1/agents/{agent}/config"


async def test_secrets_are_never_shown_and_kept_when_sent_back_hidden(
    admin: Any, path: str, config: Any, bus: Any
) -> None:
    """GET, change a limit, PUT: the account's secrets are unchanged and were never shown."""
    found = await admin.get(path)
    assert SECRET not in found.text
    assert "enc:" not in found.text
    assert found.json()["config"]["agent"]["name"] == "Executor"
    changed = found.json()["config"]
    changed["risk"] = {next(iter(changed["risk"])): {"maxOpenOrders": 7}}
    headers = {"If-Match": found.headers["etag"]}
    put = await admin.put(path, json=changed, headers=headers, params={"kind": "executor"})
    assert put.status_code == 200, put.text
    assert SECRET not in put.text
    text = await bus.get_config(AgentId(config["agent"]["id"]))
    written = json.loads(text)
    assert written["exchanges"] == config["exchanges"]
    assert next(iter(written["risk"].values())) == {"maxOpenOrders": 7}


async def test_a_whole_answer_sent_back_is_refused_with_what_is_expected(admin: Any, path: str, config: Any) -> None:
    """GET wraps the document: sent back as it is, or without its form, it is no matter of rights."""
    found = await admin.get(path)
    headers = {"If-Match": found.headers["etag"]}
    put = await admin.put(path, json=found.json(), headers=headers, params={"kind": "executor"})
    assert put.status_code == 422
    assert "the value of `config`" in put.json()["detail"]
    for call in ("validate", "diff"):
        assert (await admin.post(f"{path}/{call}", json=found.json())).status_code == 422
    mistyped = {"agent": config["agent"], "exchnages": {}}
    refused = await admin.put(path, json=mistyped, headers=headers, params={"kind": "executor"})
    assert refused.status_code == 422
    assert "$.exchnages" in [each["path"] for each in refused.json()["problems"]]
    nobodys = {"agent": config["agent"]}
    assert (await admin.put(path, json=nobodys, headers=headers, params={"kind": "executor"})).status_code == 403


async def test_of_two_concurrent_changes_one_is_rejected(admin: Any, path: str) -> None:
    """A change names what it was made from; who names nothing, or what is gone, changes nothing."""
    found = await admin.get(path)
    config, params = found.json()["config"], {"kind": "executor"}
    assert (await admin.put(path, json=config, params=params)).status_code == 428
    changes = [config | {"environment": f"e{number}"} for number in range(5)]
    headers = {"If-Match": found.headers["etag"]}
    answers = await asyncio.gather(*(admin.put(path, json=each, headers=headers, params=params) for each in changes))
    assert sorted(each.status_code for each in answers) == [200, 412, 412, 412, 412]


async def test_mistakes_are_all_named_and_nothing_changes(admin: Any, path: str, tenant: Any, bus: Any) -> None:
    """Validation says each mistake with its place, a masked secret that hides nothing among them."""
    new = {
        "agent": {"id": "ANOTHER"},
        "risk": {tenant: {"maxOpenOrders": "many"}},
        "exchanges": {tenant: {"binance": {"secret": "***"}}},
    }
    found = await admin.post(f"{path}/validate", json=new, params={"kind": "executor"})
    assert found.status_code == 422
    paths = {each["path"] for each in found.json()["problems"]}
    assert paths == {f"$.risk.{tenant}.maxOpenOrders", f"$.exchanges.{tenant}.binance.secret"}


async def test_a_difference_shows_places_and_hides_secrets(admin: Any, path: str, config: Any, tenant: Any) -> None:
    """Changes are listed by path; of a secret, only that it changes."""
    new = json.loads(json.dumps(config))
    new["exchanges"][tenant]["kucoin"]["secret"] = "another-secret-of-it"
    new["risk"][tenant]["maxOrderNotional"] = 100
    found = await admin.post(f"{path}/diff", json=new)
    assert found.json()["items"] == [
        {"path": f"$.exchanges.{tenant}.kucoin.secret", "kind": "changed", "before": "***", "after": "***"},
        {"path": f"$.risk.{tenant}.maxOrderNotional", "kind": "added", "before": None, "after": 100},
    ]


async def test_a_configuration_is_rolled_back_with_its_secrets(admin: Any, path: str, bus: Any, config: Any) -> None:
    """The history names who put what; what was in force before is put in force again, secrets and all."""
    params = {"kind": "executor"}
    first = await admin.get(path)
    one = await _put(admin, path, first.json()["config"] | {"environment": "one"}, first.headers["etag"], params)
    two = await _put(admin, path, one.json()["config"] | {"environment": "two"}, one.headers["etag"], params)
    history = (await admin.get(f"{path}/history")).json()["items"]
    assert [each["config"]["environment"] for each in history] == ["two", "one"]
    assert history[0]["author"].partition("/")[0] == next(iter(config["risk"]))
    wanted = {"revision": one.json()["revision"]}
    back = await admin.post(f"{path}/rollback", json=wanted, headers={"If-Match": two.headers["etag"]}, params=params)
    assert back.status_code == 200, back.text
    assert back.json()["revision"] == one.json()["revision"]
    written = json.loads(await bus.get_config(AgentId(config["agent"]["id"])))
    assert written["environment"] == "one"
    assert written["exchanges"] == config["exchanges"]


async def test_what_tenants_share_is_the_operators(
    api: Any, admin: Any, tenant: Any, other: Any, bus: Any, config: Any, path: str
) -> None:
    """A configuration that names another tenant is not there; one that PUBLIC shares is seen, and the operator's."""
    shared = config | {"risk": {tenant: {}, other: {}}}
    await bus.put_config(AgentId(config["agent"]["id"]), json.dumps(shared))
    assert (await admin.get(path)).status_code == 404
    public = config | {"exchanges": {**config["exchanges"], PUBLIC: {"binance": {}}}}
    await bus.put_config(AgentId(config["agent"]["id"]), json.dumps(public))
    found = await admin.get(path)
    assert found.status_code == 200
    headers = {"If-Match": found.headers["etag"]}
    denied = await admin.put(path, json=found.json()["config"], headers=headers, params={"kind": "executor"})
    assert denied.status_code == 403
    async with api.client(await api.token(PUBLIC)) as operator:
        put = await operator.put(path, json=found.json()["config"], headers=headers, params={"kind": "executor"})
        assert put.status_code == 200, put.text


async def _put(admin: Any, path: str, config: Any, tag: str, params: Any) -> Any:
    found = await admin.put(path, json=config, headers={"If-Match": tag}, params=params)
    assert found.status_code == 200, found.text
    return found


@pytest.mark.parametrize("kind", MODELS)
async def test_an_agent_of_each_kind_may_be_new(kind: str, api: Any) -> None:
    """The operator puts its first configuration and names its kind."""
    agent = f"{kind.upper()}-of-{PUBLIC}-{secrets.token_hex(4)}"
    async with api.client(await api.token(PUBLIC)) as operator:
        body = {"agent": {"id": agent}}
        found = await operator.post(f"/api/v1/agents/{agent}/config/validate", json=body, params={"kind": kind})
    assert "query.kind" not in found.text
    assert found.status_code == 200, found.text


async def test_what_is_no_text_at_an_agents_key_is_reported(api: Any, bus: Any, admin: Any, config: Any) -> None:
    """Whose key it is learns what to do, whatever is asked; nobody else that there is one."""
    agent = config["agent"]["id"]
    path = f"/api/v1/agents/{agent}/config"
    await bus._publishing.call("DEL", f"stream.config.{agent}")
    await bus._publishing.call("RPUSH", f"stream.config.{agent}", "a list")
    async with (
        api.client(await api.token(PUBLIC)) as operator,
        api.client(await api.token(secrets.token_hex(4))) as other,
    ):
        for ask in (admin, operator):
            for answer in (
                await ask.get(path),
                await ask.post(f"{path}/validate", json=config),
                await ask.post(f"{path}/diff", json=config),
                await ask.put(path, json=config),
            ):
                assert answer.status_code == 409
                assert f"DEL stream.config.{agent}" in answer.json()["detail"]
        assert (await other.get(path)).status_code == 404
    await bus._publishing.call("DEL", f"stream.config.{agent}")


async def test_a_configuration_is_limited(admin: Any, path: str, config: Any) -> None:
    """To check a larger one would take from everybody."""
    config["agent"]["name"] = "x" * 256 * 1024
    answer = await admin.post(f"{path}/validate", json=config)
    assert answer.status_code == 413
    assert "262,144 bytes" in answer.json()["detail"]
