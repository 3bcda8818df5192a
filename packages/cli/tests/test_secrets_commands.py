"""`millrace secrets …` as it is typed."""

import json
from typing import Any

import pytest

from millrace_bus import Bus
from millrace_core.names import PUBLIC, AgentId, Tenant
from millrace_service.encryption import decrypt, encrypt, new_key, parse_key

EXECUTOR, MINE, YOURS = AgentId("EXECUTOR"), Tenant("StrankaXY"), Tenant("Other")


def _config(key: str) -> bytes:
    sealed = {tenant: encrypt(tenant, f"secret of {tenant}", parse_key(key)) for tenant in (MINE, YOURS)}
    exchanges = {tenant: {"kucoin": {"apiKey": "k", "secret": secret}} for tenant, secret in sealed.items()}
    # Two spaces: what is written by hand keeps its form.
    return json.dumps({"agent": {"id": EXECUTOR}, "exchanges": exchanges}).replace(": ", ":  ").encode()


def _secrets(text: bytes, key: str) -> list[str]:
    accounts = json.loads(text)["exchanges"]
    return [decrypt(Tenant(each), held["kucoin"]["secret"], parse_key(key)) for each, held in accounts.items()]


async def test_a_secret_is_encrypted_from_standard_input(terminal: Any) -> None:
    """With the key that `keygen` made; only its tenant can use it."""
    key = (await terminal.type("secrets", "keygen")).stdout.strip()
    terminal.environment["MILLRACE_SECRET_KEY"] = key
    sealed = (await terminal.type("secrets", "encrypt", MINE, keys="s3cr3t\n")).stdout.strip()
    assert decrypt(MINE, sealed, parse_key(key)) == "s3cr3t"


async def test_a_rotation_encrypts_everything_by_the_new_key(terminal: Any, bus: Bus) -> None:
    """With both keys set, in a configuration whose other text stays as it was; a second time there is nothing to do."""
    old, new = new_key(), new_key()
    before = _config(old)
    await bus.put_config(EXECUTOR, before)
    terminal.environment["MILLRACE_SECRET_KEY"] = f"{new} {old}"
    assert (await terminal.type("secrets", "rotate")).stdout == "EXECUTOR: 2 secrets encrypted anew\n"
    after = await bus.get_config(EXECUTOR) or b""
    assert _secrets(after, new) == ["secret of StrankaXY", "secret of Other"]
    assert len(after) == len(before)
    assert after.count(b":  ") == before.count(b":  ")
    assert (await terminal.type("secrets", "rotate", "--json")).json == {EXECUTOR: 0}
    assert await bus.get_config(EXECUTOR) == after


async def test_secrets_outside_of_accounts_are_rotated_too(terminal: Any, bus: Bus) -> None:
    """Such as the addresses of alerts, which belong to PUBLIC or to the tenant that stands beside them."""
    old, new = new_key(), new_key()
    sealed = [encrypt(tenant, "address", parse_key(old)) for tenant in (PUBLIC, MINE)]
    receivers = [{"url": sealed[0]}, {"tenant": MINE, "urls": [sealed[1]]}]
    await bus.put_config(AgentId("ALERTS"), json.dumps({"agent": {"id": "ALERTS"}, "receivers": receivers}))
    terminal.environment["MILLRACE_SECRET_KEY"] = f"{new} {old}"
    assert (await terminal.type("secrets", "rotate", "--json")).json == {"ALERTS": 2}
    first, second = json.loads(await bus.get_config(AgentId("ALERTS")) or b"")["receivers"]
    assert (
        decrypt(PUBLIC, first["url"], parse_key(new)) == decrypt(MINE, second["urls"][0], parse_key(new)) == "address"
    )


async def test_a_secret_that_no_key_opens_stops_the_rotation(terminal: Any, bus: Bus) -> None:
    """Nothing is changed, in no configuration, and the place is named."""
    old, new = new_key(), new_key()
    await bus.put_config(EXECUTOR, _config(old))
    await bus.put_config(AgentId("GATHERER"), _config(new_key()))
    terminal.environment["MILLRACE_SECRET_KEY"] = f"{new},{old}"
    found = await terminal.type("secrets", "rotate")
    assert found.code == 1
    assert "GATHERER $.exchanges.StrankaXY.kucoin.secret: no key decrypts it" in found.output
    assert _secrets(await bus.get_config(EXECUTOR) or b"", old) == ["secret of StrankaXY", "secret of Other"]


@pytest.mark.parametrize("arguments", [("encrypt", MINE), ("rotate",)])
async def test_without_a_key_the_way_to_one_is_printed(terminal: Any, arguments: tuple[str, ...]) -> None:
    """And the exit code is 1."""
    found = await terminal.type("secrets", *arguments, keys="s3cr3t")
    assert (found.code, "millrace secrets keygen" in found.output) == (1, True)
