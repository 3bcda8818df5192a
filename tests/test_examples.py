"""Every example: its form, whether its parts fit each other, and whether its streams come to life."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.platform import ROOT, Platform, running, until

from millrace_api.configs.models import MODELS
from millrace_cli import configs
from millrace_core.config import parse_config, revision

EXAMPLES = ROOT / "examples"
SETUPS = {"": "binance", "one-exchange": "binance", "two-tenants": "binance", "kucoin": "kucoin"}
"""Folders in which every agent has a configuration, each with the exchange that it trades on."""
KINDS = ("gatherer", "magicbox", "executor", "dbsync", "api")
EVERY = sorted(path for path in EXAMPLES.rglob("*.json") if path.name != "simulator.json")


def read(setup: str, kind: str) -> Any:
    return json.loads((EXAMPLES / setup / f"{kind}.json").read_text())


@pytest.mark.parametrize("path", EVERY, ids=lambda path: str(path.relative_to(EXAMPLES)))
def test_every_example_is_valid(path: Path) -> None:
    """Also those of agents that only some installations have."""
    assert parse_config(MODELS[path.stem], path.read_bytes()).agent.status == "started"


def test_every_setup_is_explained() -> None:
    """A folder has a page that names it, and every page is of something that is there."""
    pages = {page.name: page.read_text() for page in EXAMPLES.glob("Examples.*.md")}
    for setup in filter(None, SETUPS):
        assert any(f"`examples/{setup}`" in text for text in pages.values()), setup
    folders = {path.parent.name for path in EVERY} - {"examples"}
    assert folders == {setup for setup in SETUPS if setup}


@pytest.mark.parametrize("setup", SETUPS)
def test_the_parts_of_a_setup_fit(setup: str) -> None:
    """What a strategy subscribes to is gathered; who trades has an account; every tenant is stored."""
    gathered = set()
    for plan in read(setup, "gatherer")["workplans"]:
        for point in plan["dataPoints"]:
            action = point if isinstance(point, str) else point["action"]
            for symbol in [None] if action == "watchBalance" else plan["assetPairs"]:
                gathered.add((plan["tenant"], plan["exchangeId"], action, symbol))
    executor = read(setup, "executor")
    for plan in read(setup, "magicbox")["workplans"]:
        tenant = plan.get("tenant") or plan["tenantId"]
        for wanted in plan["subscriptions"]:
            owner = "PUBLIC" if wanted.get("isPublic") else tenant
            assert (owner, wanted["exchangeId"], wanted["dataPoint"], wanted.get("symbol")) in gathered
            assert wanted["exchangeId"] in executor["exchanges"][tenant]
        assert executor["risk"][tenant]
    stored = {plan["tenant"] for plan in read(setup, "dbsync")["workplans"]}
    assert {tenant for tenant, *_ in gathered} <= stored


@pytest.mark.system
@pytest.mark.parametrize("exchange", ["binance", "kucoin"])
async def test_every_setup_streams(tmp_path: Path, exchange: str) -> None:
    """One gatherer gets one set-up after the other, as a person would paste them; all streams of each come to life."""
    simulator = json.loads((EXAMPLES / "two-tenants" / "simulator.json").read_text()) if exchange == "binance" else {}
    async with running(tmp_path, (), simulator={"dialect": exchange, **simulator}) as platform:
        for number, setup in enumerate(name for name, of in SETUPS.items() if of == exchange):
            text = json.dumps(read(setup, "gatherer"))
            await platform.configure("gatherer", json.loads(configs.pointed(text, platform.exchange_url, "binance")))
            if not number:
                await platform.start_service("gatherer")
            await until(lambda: _streams(platform), f"{setup or 'examples'} streams", 40, platform)


async def _streams(platform: Platform) -> bool:
    """Tell whether the configuration is in force, and every stream that it names is followed."""
    beat = await platform.heartbeat("gatherer")
    text = json.dumps(platform.configs["gatherer"]).encode()
    if beat is None or beat["configRevision"] != revision(text):
        return False
    assert not beat["configErrors"]
    return {unit["state"] for unit in beat["units"]} <= {"live", "unverified"}
