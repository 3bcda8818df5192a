"""Overview: what needs a person first, then what it earns and what it does."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from nicegui import ui

from millrace_console.accounts import Account
from millrace_console.display.section import section
from millrace_console.display.table import Cell, Column, Row, Table
from millrace_console.display.text import NONE, ago, number, short_number, sign_class
from millrace_console.panels import table_panel
from millrace_console.polling import Poll
from millrace_console.visit import Visit
from millrace_core.clock import DAY_MS, MINUTE_MS, now_ms
from millrace_core.config.alerts import DEFAULT_THRESHOLDS

QUIET_AGENT_MS = 15_000
"""An agent that has not written for so long is down."""
LATE_MS = 2_000
"""A stream whose messages come so much later than usual is late."""
HOUR_MS = 3_600_000
_MOST = 1_000
WELL = frozenset({"live", "starting", "standby"})


async def show(visit: Visit) -> None:
    """Build the page."""
    with section("What needs you"):
        needs = Table(
            "What needs you", [Column("What"), Column("Where"), Column("Since"), Column("Why")], "All is well."
        )
        table_panel(visit, needs, partial(_troubles, visit))
    with ui.element("div").classes("grid-panels"):
        with section("Profit today (UTC)"):
            columns = [
                Column("Tenant"),
                Column("Strategy"),
                Column("Currency"),
                Column("Profit", "number"),
                Column("Fees", "number"),
            ]
            profit = Table("Profit today", columns, "No trade today.")
            table_panel(visit, profit, partial(_profit, visit), 5.0)
        with section("Equity"):
            equity = Table(
                "Equity",
                [Column("Tenant"), Column("Value", "number"), Column("Currency"), Column("As of")],
                "No balance is known yet.",
            )
            table_panel(visit, equity, partial(_equity, visit), 5.0)
        with section("Orders, last minute"):
            columns = [
                Column("Tenant"),
                Column("Orders", "number"),
                Column("Fills", "number"),
                Column("Failed", "number"),
            ]
            activity = Table("Orders in the last minute", columns, "No tenant.")
            table_panel(visit, activity, partial(_activity, visit), 5.0)
        with section("Agents"):
            agents = Table(
                "Agents",
                [Column("Agent"), Column("State"), Column("Units", "number"), Column("Heard")],
                "No agent runs.",
            )
            table_panel(visit, agents, partial(_agents, visit))


async def _troubles(visit: Visit, poll: Poll) -> list[Row]:
    agents = all_agents(await visit.each(poll, "/agents"))
    rows: list[Row] = []
    for agent in agents.values():
        rows += _agent_troubles(visit, agent)
    for account, answer in await visit.each(poll, "/failed-executions", limit=5, since=poll.at_ms - DAY_MS):
        for each in answer["items"]:
            rows.append(_failure(visit, account.tenant, each))
    return rows


def all_agents(answers: Iterable[tuple[Account, Any]]) -> dict[str, dict[str, Any]]:
    """Return the agents by id, each with all that any of these accounts may see: an answer holds what its own may."""
    found: dict[str, dict[str, Any]] = {}
    for each in (agent for _, answer in answers for agent in answer["items"]):
        known = found.setdefault(each["id"], each)
        units = {unit["name"]: unit for unit in (*known["units"], *each["units"])}
        parts = {part: _joined(known[part], each[part]) for part in ("configErrors", "lastErrors")}
        found[each["id"]] = {**known, "units": list(units.values()), **parts}
    return found


def _joined(known: list[Any], others: list[Any]) -> list[Any]:
    return known + [each for each in others if each not in known]


def _agent_troubles(visit: Visit, agent: dict[str, Any]) -> list[Row]:
    now = now_ms()
    link = visit.place.to("/strategies")
    rows: list[Row] = []
    if now - agent["sentAt"] > QUIET_AGENT_MS:
        rows.append(
            [Cell("✖ agent down", "bad"), Cell(agent["id"], link=link), ago(agent["sentAt"], now), "no heartbeat"]
        )
    for mistake in agent["configErrors"]:
        where = Cell(agent["id"], link=visit.place.to("/configuration", agent=agent["id"]))
        rows.append([Cell("✖ configuration", "bad"), where, NONE, f"{mistake['path']}: {mistake['message']}"])
    for unit in agent["units"]:
        if unit["state"] not in WELL:
            what = Cell(f"▲ {unit['state']}", "bad" if unit["state"] == "failed" else "warn")
            rows.append([what, Cell(unit["name"], link=link), ago(unit["since"], now), unit["detail"] or NONE])
        where = Cell(unit["name"], link=link)
        rows += [[Cell("▲ behind", "warn"), where, NONE, why] for why in lags(unit["counters"], now)]
    return rows


def lags(counters: Mapping[str, float], now: int) -> Iterator[str]:
    """Yield what makes a unit late: its stream, the database, or a pause that the exchange wants."""
    if (late_ms := counters.get("lagMs", 0)) >= LATE_MS:
        yield f"messages come {late_ms / 1_000:.1f} s later than usual"
    if (used := counters.get("retentionUsedPercent", 0)) >= DEFAULT_THRESHOLDS["dbsyncLag"]:
        yield f"{counters.get('behind', 0):,.0f} messages wait to be stored, {used:.0f} % of what a journal keeps"
    if (left_ms := counters.get("pausedUntil", 0) - now) > 0:
        yield f"the exchange wants a pause, {left_ms / 1_000:.0f} s more"


def _failure(visit: Visit, tenant: str, failed: dict[str, Any]) -> Row:
    where = Cell(f"{tenant} {failed.get('exchange') or ''}", link=visit.place.to("/failures"))
    return [
        Cell("▲ failed execution", "warn"),
        where,
        ago(failed.get("atMs"), now_ms()),
        str(failed["reason"] or failed["kind"]),
    ]


async def _profit(visit: Visit, poll: Poll) -> list[Row]:
    today = poll.at_ms // DAY_MS * DAY_MS
    rows: list[Row] = []
    for account, answer in await visit.each(poll, "/pnl", since=today, by="source"):
        for each in answer["items"]:
            profit = Cell(short_number(each["realised"], signed=True), sign_class(each["realised"]))
            rows.append(
                [
                    account.tenant,
                    each.get("orderSource") or "no known request",
                    each["currency"],
                    profit,
                    short_number(each["fees"]),
                ]
            )
    return rows


async def _equity(visit: Visit, poll: Poll) -> list[Row]:
    asked = {"since": poll.at_ms - HOUR_MS, "descending": True, "limit": 1}
    answers = await asyncio.gather(*(poll.get(each, "/equity", **asked) for each in visit.trading_accounts))
    return [
        equity_row(account.tenant, sample, now_ms())
        for account, answer in zip(visit.trading_accounts, answers, strict=True)
        for sample in answer["items"]
    ]


def equity_row(tenant: str, sample: Mapping[str, Any], now: int) -> Row:
    """Return the value of all balances; it says when some of them have no price and are not in it."""
    value = Cell(number(sample["value"], 2))
    if sample["unvalued"]:
        left_out = ", ".join(sorted({each["currency"] for each in sample["unvalued"]}))
        value = Cell(f"▲ {value.text}", "warn", hint=f"without {left_out}: no price")
    return [tenant, value, sample["currency"], Cell(f"{ago(sample['atMs'], now)} ago", "nowrap")]


async def _activity(visit: Visit, poll: Poll) -> list[Row]:
    """Return how much each tenant traded; more than a page of it is shown as at least that much."""
    since = poll.at_ms - MINUTE_MS
    rows: list[Row] = []
    for account in visit.trading_accounts:
        paths = ("/requests", "/own-trades", "/failed-executions")
        answers = await asyncio.gather(*(poll.get(account, path, since=since, limit=_MOST) for path in paths))
        rows.append([account.tenant, *(_count(answer) for answer in answers)])
    return rows


def _count(answer: dict[str, Any]) -> str:
    return number(len(answer["items"])) + ("+" if answer["next_cursor"] else "")


async def _agents(visit: Visit, poll: Poll) -> list[Row]:
    now = now_ms()
    agents = all_agents(await visit.each(poll, "/agents"))
    return [_agent(visit, each, now) for each in agents.values()]


def _agent(visit: Visit, agent: dict[str, Any], now: int) -> Row:
    name = Cell(agent["id"], link=visit.place.to("/configuration", agent=agent["id"]))
    state = Cell(agent["state"], "" if agent["state"] == "running" else "warn")
    return [name, state, number(len(agent["units"])), f"{ago(agent['sentAt'], now)} ago"]
