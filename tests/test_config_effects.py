"""The units that the API names before a configuration is saved are those that the agents plan."""

from pathlib import Path
from typing import Any

import pytest

from millrace_api.configs.effects import effects
from millrace_core.config import parse_config
from millrace_dbsync.agent import DbsyncAgent
from millrace_executor.agent import ExecutorAgent
from millrace_gatherer.agent import GathererAgent
from millrace_magicbox.agent import MagicboxAgent
from millrace_service import Agent

EXAMPLES = Path(__file__).parents[1] / "examples"


def changed(text: str) -> list[str]:
    """Return variants of a configuration: each changes another part of it."""
    replacements = {
        '"demo-secret"': '"another"',
        "KCS/USDT": "LTC/USDT",
        "StrankaXY": "Ann",
        '"watchTrades"': '"watchTicker"',
        '"timeframe": "1m"': '"timeframe": "5m"',
        '"amount": 1': '"amount": 2',
        '"maxOrdersPerSecond": 50': '"maxOrdersPerSecond": 51',
        '"bookDays": 30': '"bookDays": 31',
        '"environment": "demo"': '"environment": "dev"',
    }
    return [text, *(text.replace(old, new) for old, new in replacements.items() if old in text)]


@pytest.mark.parametrize("kind", ["gatherer", "magicbox", "executor", "dbsync"])
def test_effects_are_those_of_the_agents_own_plan(kind: str) -> None:
    """For each pair of variants, what starts, stops and restarts is what the agent's plans differ in."""
    agents: dict[str, Agent[Any, Any]] = {
        "gatherer": GathererAgent(),
        "magicbox": MagicboxAgent(None),
        "executor": ExecutorAgent("sqlite://"),
        "dbsync": DbsyncAgent("sqlite://"),
    }
    agent = agents[kind]
    first, *others = changed((EXAMPLES / f"{kind}.json").read_text())
    before = agent.units(parse_config(agent.config_model, first))
    assert len(others) >= 2
    for text in others:
        after = agent.units(parse_config(agent.config_model, text))
        expected = dict.fromkeys(before.keys() - after.keys(), "stops")
        expected |= dict.fromkeys(after.keys() - before.keys(), "starts")
        expected |= {name: "restarts" for name in before.keys() & after.keys() if before[name] != after[name]}
        assert {each.unit: each.effect for each in effects(kind, first.encode(), text.encode()) or ()} == expected, text
