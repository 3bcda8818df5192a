"""Strategies, their hooks' times and their errors as rows and HTML. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from millrace_console.display.table import Cell, Column, Row
from millrace_console.display.text import NONE, ago, date_and_time, html, number, short_number, sign_class
from millrace_console.pages.strategies.plugins import PlannedStrategy

SIGNS = {
    "live": ("● live", "up nowrap"),
    "starting": ("… starting", "muted"),
    "standby": ("◌ standby", "muted"),
    "stopped": ("■ stopped", "warn"),
    "failed": ("✖ failed", "bad"),
}
STRATEGIES = (
    Column("Strategy"), Column("Tenant"), Column("State"), Column("Since"), Column("Profit today", "number"),
    Column("Trades", "number"), Column("Open orders", "number"), Column("Book event p50 / p99", "number"),
    Column("Agent"), Column("Run"), Column("Restart"), Column("Halt"),
)  # fmt: skip
TIMES = (
    Column("What"), Column("Count", "number"), Column("p50", "number"), Column("p99", "number"),
    Column("Slowest", "number"),
)  # fmt: skip


def state_cell(unit: Mapping[str, Any] | None, *, is_old: bool, is_stopped: bool) -> Cell:
    """Return a unit's state with a sign; what the agent no longer confirms says so."""
    if unit is None and is_stopped:
        return Cell("■ stopped", "muted", hint="The configuration says so.")
    if unit is None:
        return Cell("■ not running", "warn")
    if is_old:
        return Cell("✖ agent down", "bad nowrap", hint="The agent writes no heartbeat.")
    text, style = SIGNS.get(unit["state"], (f"▲ {unit['state']}", "warn"))
    return Cell(text, style, hint=unit["detail"] or "")


def today_cells(rows: Iterable[Mapping[str, Any]]) -> list[Cell]:
    """Return profit, each currency apart, and the number of trades."""
    found = list(rows)
    if not found:
        return [Cell(NONE), Cell("0")]
    profit = ", ".join(f"{short_number(each['realised'], signed=True)} {each['currency']}" for each in found)
    style = sign_class(found[0]["realised"]) if len(found) == 1 else ""
    return [Cell(profit, style), Cell(number(sum(each["trades"] for each in found)))]


def strategy_row(
    strategy: PlannedStrategy, agent: str, unit: Mapping[str, Any] | None, today: Iterable[Mapping[str, Any]],
    links: tuple[str, str], now_ms: int, *, is_old: bool, is_stopped: bool, may_change: bool, may_halt: bool,
) -> Row:  # fmt: skip
    """Return one strategy; `links` lead to it and to its orders; `is_stopped` tells of all strategies of the agent."""
    counters: Mapping[str, Any] = unit["counters"] if unit else {}
    spread = (unit["latencies"] if unit else {}).get("on_order_book")
    times = f"{spread['p50']:,.2f} / {spread['p99']:,.2f} ms" if spread else NONE
    key = f"{agent} {strategy.unit}"
    can_restart = unit is not None and not is_old and may_change
    verb = "Start" if strategy.is_stopped else "Stop"
    return [
        Cell(strategy.name, link=links[0], hint=strategy.plugin),
        strategy.tenant,
        state_cell(unit, is_old=is_old, is_stopped=is_stopped or strategy.is_stopped),
        ago(unit["since"], now_ms) if unit else NONE,
        *today_cells(today),
        Cell(number(counters.get("openOrders")), link=links[1]),
        times,
        agent,
        Cell(verb, hint=f"{verb} {strategy.unit}", action=f"{verb.lower()} {key}")
        if may_change and not is_stopped
        else "",
        Cell("Restart", hint=f"Restart {strategy.unit}", action=f"restart {key}") if can_restart else "",
        Cell("Halt", hint=f"Halt {strategy.unit}", action=f"halt {key}") if may_halt else "",
    ]


def time_rows(unit: Mapping[str, Any]) -> list[Row]:
    """Return how long each kind of event took the strategy, and each hop of its messages."""
    slowest = unit["counters"]
    return [
        [
            name,
            number(int(each["count"])),
            f"{each['p50']:,.3f} ms",
            f"{each['p99']:,.3f} ms",
            f"{slowest[f'slowestMs.{name}']:,.3f} ms" if f"slowestMs.{name}" in slowest else NONE,
        ]
        for name, each in sorted(unit["latencies"].items())
    ]


def counter_rows(unit: Mapping[str, Any]) -> list[Row]:
    """Return what it counted since it started."""
    return [
        [name, number(value)] for name, value in sorted(unit["counters"].items()) if not name.startswith("slowestMs.")
    ]


def errors_html(agents: Iterable[Mapping[str, Any]], unit: str) -> str:
    """Return the errors of agents, newest first, or of one of their units alone, each with its traceback."""
    found = [
        (error, agent["id"]) for agent in agents for error in agent["lastErrors"] if not unit or error["where"] == unit
    ]
    if not found:
        return '<p class="muted">No error is reported.</p>'
    return "".join(_error(*each) for each in sorted(found, key=lambda each: -each[0]["at"]))


def _error(error: Mapping[str, Any], agent: str) -> str:
    head = f"{date_and_time(error['at'])} UTC · {html(agent)} · {html(error['where'])}: {html(error['message'])}"
    if not error["traceback"]:
        return f'<p><span class="bad">✖</span> {head}</p>'
    return (
        f'<details class="error"><summary><span class="bad">✖</span> {head}</summary>'
        f'<pre tabindex="0">{html(error["traceback"])}</pre></details>'
    )
