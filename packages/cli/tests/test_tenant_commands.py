"""`millrace tenant …` as it is typed."""

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from millrace_bus import Bus
from millrace_core.clock import now_ms
from millrace_core.config import DbsyncConfig, ExecutorConfig, GathererConfig, parse_config
from millrace_core.names import Action, AgentId, ExchangeId, StreamName, Symbol, Tenant
from millrace_core.orders import Order, OrderRecord
from millrace_service.encryption import decrypt, new_key, parse_key

NEW = Tenant("StrankaZ")
GATHERER, EXECUTOR, DBSYNC = AgentId("GATHERER"), AgentId("EXECUTOR"), AgentId("DBSYNC")
ADD = ("tenant", "add", NEW, "--exchange", "kucoin", "--symbol", "KCS/USDT")
KEYS = {"apiKey": "the-key", "secret": "s3cr3t-of-it", "password": "p4ss-of-it"}


@pytest.fixture
def keys(terminal: Any, tmp_path: Path) -> Path:
    """A file of keys, and a key to encrypt them with."""
    terminal.environment["MILLRACE_SECRET_KEY"] = new_key()
    file = tmp_path / "keys.json"
    file.write_text(json.dumps(KEYS))
    return file


async def _texts(bus: Bus) -> dict[AgentId, bytes | None]:
    return {agent: await bus.get_config(agent) for agent in (GATHERER, EXECUTOR, DBSYNC)}


async def test_a_tenant_is_added_to_all_agents_and_gets_a_token(terminal: Any, bus: Bus, keys: Path) -> None:
    """What others have stays; the keys are encrypted for this tenant, and stand in no output."""
    other = {"agent": {"id": GATHERER}, "exchanges": {"StrankaXY": {"binance": {}}}, "environment": "production"}
    await bus.put_config(GATHERER, json.dumps(other))
    found = await terminal.type(*ADD, "--keys", str(keys), keys="y\n")
    assert found.code == 0, found.output
    assert not any(secret in found.output for secret in KEYS.values())
    texts = await _texts(bus)
    gatherer = parse_config(GathererConfig, texts[GATHERER] or b"")
    assert (gatherer.environment, list(gatherer.exchanges)) == ("production", ["StrankaXY", NEW])
    assert [point.action for point in gatherer.workplans[0].data_points][-1] == "watchBalance"
    account = parse_config(ExecutorConfig, texts[EXECUTOR] or b"").exchanges[NEW][ExchangeId("kucoin")]
    key = parse_key(terminal.environment["MILLRACE_SECRET_KEY"])
    assert decrypt(NEW, account.secret or "", key) == KEYS["secret"]
    assert parse_config(DbsyncConfig, texts[DBSYNC] or b"").workplans[0].assets == (f"stream.{NEW}.*",)
    assert re.search(r"^mr_\w+_\S+$", found.stdout, re.MULTILINE)
    assert "trade" in (await terminal.type("tokens", "list", "--tenant", NEW)).stdout


async def test_a_no_changes_nothing(terminal: Any, bus: Bus, keys: Path) -> None:
    """What would be written was printed, secrets hidden."""
    found = await terminal.type(*ADD, "--keys", str(keys), keys="n\n")
    assert found.code == 1
    assert f'  + $.exchanges: {{"{NEW}": {{"kucoin": {{"apiKey": "***"' in found.output
    assert set((await _texts(bus)).values()) == {None}


async def test_without_keys_only_public_data_is_taken(terminal: Any, bus: Bus) -> None:
    """The executor gets no account."""
    assert (await terminal.type(*ADD, "--yes")).code == 0
    texts = await _texts(bus)
    plan = parse_config(GathererConfig, texts[GATHERER] or b"").workplans[0]
    assert [point.action for point in plan.data_points] == ["watchOrderBook", "watchTrades", "watchOHLCV"]
    assert texts[EXECUTOR] is None


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--keys", "-"), "nobody can be asked: add --yes"),
        (("--keys", "-", "--yes"), "keys are stored encrypted only"),
        (("--keys", "none.json", "--yes"), "cannot read none.json"),
        (("--json",), "nobody is asked with --json: add --yes"),
        (("--symbol", "KCS USDT", "--yes"), "$.workplans[0].assetPairs[1]"),
    ],
)
async def test_what_cannot_be_added_changes_nothing(
    terminal: Any, bus: Bus, arguments: tuple[str, ...], says: str
) -> None:
    """An existing tenant, a missing file, an invalid symbol."""
    found = await terminal.type(*ADD, *arguments, keys=json.dumps(KEYS))
    assert found.code == 1
    assert says in found.output
    assert set((await _texts(bus)).values()) == {None}


async def test_a_tenant_is_added_once(terminal: Any, bus: Bus) -> None:
    """A second time nothing is changed."""
    await terminal.type(*ADD, "--yes")
    before = await _texts(bus)
    found = await terminal.type(*ADD, "--yes")
    assert (found.code, f"{NEW} is in the configuration of GATHERER already" in found.output) == (1, True)
    assert await _texts(bus) == before


async def test_a_tenant_is_stopped_whole(terminal: Any, bus: Bus, keys: Path) -> None:
    """It says what happens, removes every trace from the configurations and revokes the token; others stay."""
    other = {"agent": {"id": GATHERER}, "exchanges": {"StrankaXY": {"binance": {}}}}
    await bus.put_config(GATHERER, json.dumps(other))
    workplans = [{"tenantId": NEW, "plugins": [{"pluginName": "PingPong"}]}]
    await bus.put_config(AgentId("MAGICBOX"), json.dumps({"agent": {"id": "MAGICBOX"}, "workplans": workplans}))
    await terminal.type(*ADD, "--keys", str(keys), "--yes")
    order = Order(id="1", symbol="KCS/USDT", amount=Decimal(1), status="open", timestamp=now_ms())
    await bus.orders.merge(NEW, OrderRecord(order, "kucoin", now_ms()))
    name = StreamName(NEW, ExchangeId("kucoin"), Action("createOrder"), Symbol("KCS/USDT"))
    await bus.register_journals(NEW, str(name))

    refused = await terminal.type("tenant", "stop", NEW, keys="n\n")
    assert (refused.code, "1 open orders stay open on the exchange" in refused.output) == (1, True)
    found = await terminal.type("tenant", "stop", NEW, "--yes", "--json")
    assert found.json["agents"] == ["DBSYNC", "EXECUTOR", "GATHERER", "MAGICBOX"]
    texts = [*(await _texts(bus)).values(), await bus.get_config(AgentId("MAGICBOX"))]
    assert not any(NEW.encode() in (text or b"") for text in texts)
    assert list(parse_config(GathererConfig, texts[0] or b"").exchanges) == ["StrankaXY"]
    assert "revoked" in (await terminal.type("tokens", "list", "--tenant", NEW)).stdout
    again = await terminal.type("tenant", "stop", NEW, "--yes")
    assert (again.code, "there is nothing to stop" in again.output) == (1, True)


async def test_public_is_not_stopped(terminal: Any) -> None:
    """All tenants share its feeds."""
    found = await terminal.type("tenant", "stop", "PUBLIC", "--yes")
    assert (found.code, "PUBLIC owns the feeds" in found.output) == (1, True)
