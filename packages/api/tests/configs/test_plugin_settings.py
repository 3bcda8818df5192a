"""Settings of strategies, checked against the schemas that a magicbox has published."""

import json
from typing import Any

import pytest
import pytest_asyncio
from pydantic import Field

from millrace_api.configs.plugin_settings import plugin_mistakes
from millrace_core.config import MagicboxConfig
from millrace_core.config.common import ConfigModel
from millrace_core.names import PUBLIC, AgentId
from millrace_core.plugins import PluginDescription


class Level(ConfigModel):
    """A level of quotes."""

    price: float = Field(ge=1, le=9)


class Settings(ConfigModel):
    """Settings of a strategy."""

    spread_bps: float = Field(gt=0, lt=1000)
    levels: tuple[Level, ...] = ()
    timer_ms: int | None = Field(default=None, ge=10)
    token: str = ""


MAKER = PluginDescription("Maker", "Makes a market.", Settings.model_json_schema())
PLUGINS = [MAKER, PluginDescription("Broken", error="strategy Broken of broken.py cannot be imported")]


def _config(*plugins: dict[str, Any], agent: str = "MAGICBOX", tenant: str = "Ann") -> dict[str, Any]:
    return {"agent": {"id": agent}, "workplans": [{"tenant": tenant, "plugins": plugins}] if plugins else []}


def _mistakes(*plugins: dict[str, Any]) -> dict[str, str]:
    found = plugin_mistakes(MagicboxConfig.model_validate(_config(*plugins)), PLUGINS)
    return {path.removeprefix("$.workplans[0].plugins"): message for path, message in found}


def test_every_mistake_is_named_with_its_path_in_plain_words() -> None:
    """Missing and unknown fields, types and bounds, in nested parts too; no message repeats a value."""
    wrong = {"levels": [{"price": 1}, {"price": 10}, {"cost": 1}], "timerMs": "soon", "token": ["s3cr3t"], "speed": 1}
    found = _mistakes({"pluginName": "Maker", "configuration": wrong})
    assert found == {
        "[0].configuration.spreadBps": "is required",
        "[0].configuration.levels[1].price": "must be at most 9",
        "[0].configuration.levels[2].price": "is required",
        "[0].configuration.levels[2].cost": "unknown field",
        "[0].configuration.timerMs": "must be a whole number",
        "[0].configuration.token": "must be text",
        "[0].configuration.speed": "unknown field",
    }


def test_a_plugin_that_cannot_be_loaded_or_does_not_exist_is_a_mistake() -> None:
    """Near names are suggested; good settings pass."""
    found = _mistakes(
        {"pluginName": "Maker", "configuration": {"spreadBps": 5, "timerMs": None}},
        {"pluginName": "Marker"},
        {"pluginName": "Broken"},
        {"pluginName": "Quite different"},
    )
    assert found == {
        "[1].pluginName": "no strategy named Marker; did you mean Maker?",
        "[2].pluginName": "strategy Broken of broken.py cannot be imported; once mended, that is known within 5 s",
        "[3].pluginName": "no strategy named Quite different; a new file is known within 5 s",
    }


def test_a_magicbox_that_finds_no_strategy_at_all_says_which_setting_names_them() -> None:
    """Its folder is probably another than was meant."""
    config = MagicboxConfig.model_validate(_config({"pluginName": "Maker"}))
    assert [problem.message for problem in plugin_mistakes(config, [])] == [
        "no strategy named Maker; this magicbox finds none at all: its --plugin-dir names the folder"
    ]


@pytest.mark.parametrize("schema", [{"type": "nonsense"}, {"$ref": "http://127.0.0.1:1/schema"}])
def test_a_schema_that_cannot_be_used_refuses_nothing(schema: dict[str, Any]) -> None:
    """A strategy may make its schema itself, wrongly; nothing is fetched to resolve it."""
    config = MagicboxConfig.model_validate(_config({"pluginName": "Odd", "configuration": {"a": 1}}))
    assert plugin_mistakes(config, [PluginDescription("Odd", schema=schema)]) == []


@pytest_asyncio.fixture(loop_scope="session")
async def agent(bus: Any, tenant: Any) -> str:
    """Publish the plugins of a magicbox; return its id."""
    agent = f"MAGICBOX-{tenant}"
    await bus.publish_plugins(AgentId(agent), PLUGINS)
    return agent


async def test_wrong_settings_are_not_put(admin: Any, agent: str, tenant: Any, bus: Any) -> None:
    """PUT and validate answer with the path of each mistake and change nothing; good settings are put."""
    wrong = _config({"pluginName": "Maker", "configuration": {"spreadBps": 0}}, agent=agent, tenant=tenant)
    params = {"kind": "magicbox"}
    for found in (
        await admin.put(f"/api/v1/agents/{agent}/config", json=wrong, params=params),
        await admin.post(f"/api/v1/agents/{agent}/config/validate", json=wrong, params=params),
    ):
        assert found.status_code == 422, found.text
        assert found.json()["problems"] == [
            {"path": "$.workplans[0].plugins[0].configuration.spreadBps", "message": "must be more than 0"}
        ]
    assert await bus.get_config(AgentId(agent)) is None
    good = json.loads(json.dumps(wrong).replace('"spreadBps": 0', '"spreadBps": 5'))
    put = await admin.put(f"/api/v1/agents/{agent}/config", json=good, params=params)
    assert put.status_code == 200, put.text


async def test_a_magicbox_can_be_stopped_whatever_its_plugins(admin: Any, agent: str, tenant: Any) -> None:
    """A strategy whose file is broken keeps nobody from stopping all of them."""
    config = _config({"pluginName": "Broken"}, agent=agent, tenant=tenant)
    config["agent"]["status"] = "stopped"
    put = await admin.put(f"/api/v1/agents/{agent}/config", json=config, params={"kind": "magicbox"})
    assert put.status_code == 200, put.text


async def test_settings_of_a_magicbox_that_does_not_run_are_put(admin: Any, tenant: Any) -> None:
    """Nothing is known of its plugins: it checks the configuration itself when it runs again."""
    agent = f"ASLEEP-{tenant}"
    config = _config({"pluginName": "Unknown"}, agent=agent, tenant=tenant)
    put = await admin.put(f"/api/v1/agents/{agent}/config", json=config, params={"kind": "magicbox"})
    assert put.status_code == 200, put.text


async def test_plugins_are_listed_for_those_who_may_configure_them(
    api: Any, admin: Any, agent: str, tenant: Any, other: Any, bus: Any
) -> None:
    """Once a tenant has configured the agent, others do not see its plugins; the operator does."""
    found = await admin.get(f"/api/v1/agents/{agent}/plugins")
    assert [each["name"] for each in found.json()["items"]] == ["Maker", "Broken"]
    assert found.json()["items"][0]["schema"] == MAKER.schema
    config = _config({"pluginName": "Maker", "configuration": {"spreadBps": 5}}, agent=agent, tenant=tenant)
    await bus.put_config(AgentId(agent), json.dumps(config))
    for of, status in ((tenant, 200), (other, 404), (PUBLIC, 200)):
        async with api.client(await api.token(of)) as client:
            assert (await client.get(f"/api/v1/agents/{agent}/plugins")).status_code == status
    assert (await admin.get(f"/api/v1/agents/NONE-{tenant}/plugins")).status_code == 404
