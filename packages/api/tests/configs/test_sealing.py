"""Plain secrets are encrypted before a configuration is written, when the API has the key."""

import json
import secrets
from typing import Any

import pytest
import pytest_asyncio

from millrace_core.names import AgentId, Tenant
from millrace_service.encryption import decrypt, encrypt
from millrace_service.sealing import sealed

KEY = secrets.token_bytes(32)
PLAIN = {"apiKey": "the-key-of-it", "secret": "s3cr3t-of-the-account", "password": "the-passphrase"}


@pytest.fixture
def config(tenant: Any) -> dict[str, Any]:
    """An executor's configuration with plain secrets."""
    return {"agent": {"id": f"EXECUTOR-{tenant}"}, "exchanges": {tenant: {"kucoin": PLAIN | {"uid": "7"}}}}


@pytest.fixture
def api_with_key(api: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The API while it has a key."""
    monkeypatch.setattr(api.services, "secret_key", KEY)
    return api


@pytest_asyncio.fixture(loop_scope="session")
async def path(bus: Any, config: Any) -> str:
    """Put the configuration in force by hand, its secrets plain; return its path."""
    agent = config["agent"]["id"]
    await bus.put_config(AgentId(agent), json.dumps(config))
    return f"/api/v1/agents/{agent}/config"


def opened(text: bytes, tenant: str) -> dict[str, str]:
    """Return the account's fields, decrypted; each must have been encrypted."""
    account = json.loads(text)["exchanges"][tenant]["kucoin"]
    return {name: decrypt(Tenant(tenant), account[name], KEY) for name in PLAIN}


async def test_saving_encrypts_new_secrets_and_those_that_are_kept(
    admin: Any, api_with_key: Any, bus: Any, path: str, tenant: Any
) -> None:
    """A secret is typed anew, the others are sent back as ***: all three are encrypted in Redis and in the history."""
    found = await admin.get(path)
    changed = found.json()["config"]
    changed["exchanges"][tenant]["kucoin"]["secret"] = "another-s3cr3t"
    headers = {"If-Match": found.headers["etag"]}
    put = await admin.put(path, json=changed, headers=headers, params={"kind": "executor"})
    assert put.status_code == 200, put.text
    agent = AgentId(f"EXECUTOR-{tenant}")
    text = await bus.get_config(agent)
    assert opened(text, tenant) == PLAIN | {"secret": "another-s3cr3t"}
    stored = await api_with_key.store.operations.configs(agent, limit=1)
    assert stored.rows[0].text == text.decode()
    assert (await admin.get(path)).json()["revision"] == put.json()["revision"]


async def test_an_encrypted_secret_is_written_as_it_stands(
    admin: Any, api_with_key: Any, bus: Any, path: str, tenant: Any
) -> None:
    """Saving twice encrypts once: what is encrypted stays the same text."""
    texts = []
    for environment in ("one", "two"):
        found = await admin.get(path)
        new = found.json()["config"] | {"environment": environment}
        headers = {"If-Match": found.headers["etag"]}
        assert (await admin.put(path, json=new, headers=headers, params={"kind": "executor"})).status_code == 200
        texts.append(json.loads(await bus.get_config(AgentId(f"EXECUTOR-{tenant}"))))
    assert texts[0]["exchanges"] == texts[1]["exchanges"]


async def test_a_roll_back_encrypts_what_was_plain(
    admin: Any, api: Any, bus: Any, path: str, tenant: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A configuration from before there was a key comes back with its secrets encrypted."""
    found = await admin.get(path)
    params = {"kind": "executor"}
    first = await admin.put(
        path, json=found.json()["config"], headers={"If-Match": found.headers["etag"]}, params=params
    )
    plain = first.json()["revision"]
    monkeypatch.setattr(api.services, "secret_key", KEY)
    body = {"revision": plain}
    answer = await admin.post(f"{path}/rollback", json=body, headers={"If-Match": f'"{plain}"'}, params=params)
    assert answer.status_code == 200, answer.text
    assert opened(await bus.get_config(AgentId(f"EXECUTOR-{tenant}")), tenant) == PLAIN


def test_addresses_of_receivers_are_encrypted_too() -> None:
    """Each for its tenant; one that is encrypted stays as it is."""
    address, mine, public = "tgram://123456789:abcdef/1", Tenant("StrankaXY"), Tenant("PUBLIC")
    encrypted = encrypt(public, address, KEY)
    written = sealed({"receivers": {mine: {"chat": address}, public: {"ops": encrypted}}, "rules": []}, KEY)
    assert decrypt(mine, written["receivers"][mine]["chat"], KEY) == address
    assert written["receivers"][public] == {"ops": encrypted}
    assert written["rules"] == []
