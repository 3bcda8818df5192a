"""What a new configuration does to the units of an agent, as the API says it before it is saved."""

import json
from typing import Any

from millrace_api.configs.effects import UnitEffect, effects
from millrace_core.names import AgentId


def gatherer(*symbols: str, **fields: Any) -> bytes:
    """Return a gatherer's configuration of one workplan."""
    plan = {"tenant": "Ann", "exchangeId": "kucoin", "assetPairs": symbols, "dataPoints": ["watchTrades"]}
    config = {
        "agent": {"id": "G", "status": fields.pop("status", "started")},
        "exchanges": {"Ann": {"kucoin": fields.pop("account", {})}},
        "workplans": [plan | fields],
    }
    return json.dumps(config).encode()


def test_only_what_changes_is_listed() -> None:
    """One symbol goes, one comes, and the third goes on."""
    assert effects("gatherer", gatherer("A/B", "C/D"), gatherer("A/B", "E/F")) == [
        UnitEffect("Ann.kucoin.watchTrades.C/D", "stops"),
        UnitEffect("Ann.kucoin.watchTrades.E/F", "starts"),
    ]


def test_a_change_of_the_account_or_the_plan_restarts() -> None:
    """Each stream depends on its account and on its workplan's settings."""
    restart = [UnitEffect("Ann.kucoin.watchTrades.A/B", "restarts")]
    assert effects("gatherer", gatherer("A/B"), gatherer("A/B", account={"uid": "2"})) == restart
    assert effects("gatherer", gatherer("A/B"), gatherer("A/B", retention=500)) == restart


def test_the_status_starts_and_stops_all() -> None:
    """A stopped agent runs nothing."""
    assert [each.effect for each in effects("gatherer", gatherer("A/B"), gatherer("A/B", status="stopped")) or ()] == [
        "stops"
    ]
    assert [each.effect for each in effects("gatherer", None, gatherer("A/B")) or ()] == ["starts"]


def test_of_other_kinds_nothing_is_said() -> None:
    """Of an agent whose plan is not worked out here, its units are not known, rather than none."""
    assert effects("alerts", None, b"{}") is None


async def test_the_api_says_it_before_saving(admin: Any, tenant: Any, bus: Any) -> None:
    """A difference lists the units beside the changes, for an agent that has no configuration too."""
    new = json.loads(gatherer("A/B").replace(b"Ann", tenant.encode()))
    agent = f"GATHERER-{tenant}"
    new["agent"]["id"] = agent
    answer = await admin.post(f"/api/v1/agents/{agent}/config/diff", json=new, params={"kind": "gatherer"})
    assert answer.json()["units"] == [{"unit": f"{tenant}.kucoin.watchTrades.A/B", "effect": "starts"}]
    await bus.put_config(AgentId(agent), json.dumps(new))
    answer = await admin.post(f"/api/v1/agents/{agent}/config/diff", json=new, params={"kind": "gatherer"})
    assert answer.json() == {"items": [], "units": []}
