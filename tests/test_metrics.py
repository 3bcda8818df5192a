"""The metrics that Prometheus and Grafana read from a running platform."""

import asyncio
import contextlib
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from tests.support.databases import Database
from tests.support.platform import ROOT, STORED_KINDS, Platform, running, until

from millrace_bus.server.ports import free_port

DEPLOY = ROOT / "deploy"
RULES = DEPLOY / "prometheus" / "rules.yml"
FROM_PROMETHEUS = {"up"}
"""Metrics that Prometheus itself makes."""
_METRIC = re.compile(r"\b((?:millrace|process)_[a-z0-9_]+)")


async def dashboards(folder: Path) -> dict[str, Any]:
    """Make the dashboards as a person does; return them by file."""
    process = await asyncio.create_subprocess_exec(sys.executable, str(DEPLOY / "grafana" / "make.py"), str(folder))
    assert await process.wait() == 0
    return {path.name: json.loads(path.read_text()) for path in folder.iterdir()}


def alert_rules() -> list[dict[str, Any]]:
    """Return the alert rules."""
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


async def expressions(folder: Path) -> list[str]:
    """Return every expression of the dashboards and of the alert rules."""
    found = [str(rule["expr"]) for rule in alert_rules()]
    for dashboard in (await dashboards(folder)).values():
        found += [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
        found += [variable["definition"] for variable in dashboard["templating"]["list"] if "definition" in variable]
    return found


async def served(platform: Platform, ports: Mapping[str, int]) -> dict[str, set[str]]:
    """Return the names of all samples and labels that the platform serves, by metric; those that serve yet."""
    found: dict[str, set[str]] = {}
    for port in ports.values():
        try:
            async with platform.http.get(f"http://127.0.0.1:{port}/metrics") as response:
                text = await response.text()
        except aiohttp.ClientConnectionError:
            continue
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found.setdefault(sample.name, set()).update(sample.labels)
    return found


@pytest.mark.system
@pytest.mark.timeout(240)
async def test_what_dashboards_and_rules_name_is_served(tmp_path: Path, database: Database) -> None:
    """Every metric of every expression has a sample on a platform that trades, and every label that is grouped by."""
    used = await expressions(tmp_path / "dashboards")
    names = {name for text in used for name in _METRIC.findall(text)}
    ports = {kind: free_port(0) for kind in (*STORED_KINDS, "alerts")}
    async with running(tmp_path, (), database=database) as platform:
        for kind, port in ports.items():
            await platform.configure(kind, platform.example(kind))
            agent = platform.configs[kind]["agent"]["id"]
            await platform.start(kind, "--agent-id", agent, "--metrics-port", str(port))

        async def all_are_there() -> dict[str, set[str]] | None:
            with contextlib.suppress(aiohttp.ClientConnectionError):
                # The API counts requests once there was one.
                (await platform.http.get(f"http://127.0.0.1:{platform.api_port}/health")).release()
            found = await served(platform, ports)
            return found if names <= found.keys() else None

        try:
            found = await until(all_are_there, "every metric is served", 180, platform)
        except AssertionError as late:
            raise AssertionError(f"not served: {names - (await served(platform, ports)).keys()}") from late
    labels = set().union(*found.values()) | {"job", "instance"}
    for text in used:
        grouped = {label.strip() for by in re.findall(r"by \(([^)]*)\)", text) for label in by.split(",")}
        assert grouped <= labels, text


def test_each_alert_rule_is_whole() -> None:
    """It has an expression with balanced brackets, a severity, a summary, and a page that says what to do."""
    rules = alert_rules()
    assert len({rule["alert"] for rule in rules}) == len(rules) > 10
    for rule in rules:
        expression = str(rule["expr"])
        assert all(expression.count(opening) == expression.count(closing) for opening, closing in ("()", "{}", "[]"))
        assert set(_METRIC.findall(expression)) or expression.split("{")[0] in FROM_PROMETHEUS
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]
        page, _, place = rule["annotations"]["runbook"].partition("#")
        headings = re.findall(r"^#+ (.+)$", (ROOT / page).read_text(), re.MULTILINE)
        assert place in {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}, place


async def test_dashboards_are_whole(tmp_path: Path) -> None:
    """Panels do not overlap, and each has a unit and a query with a legend."""
    made = await dashboards(tmp_path)
    assert len(made) == 4
    for dashboard in made.values():
        places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in dashboard["panels"]}
        assert len(places) == len(dashboard["panels"])
        for panel in dashboard["panels"]:
            assert panel["fieldConfig"]["defaults"]["unit"]
            assert all(target["expr"] and target["legendFormat"] for target in panel["targets"])
