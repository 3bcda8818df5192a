"""Failures: what did not work, newest first, with the reason and what to do."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from nicegui import ui

from millrace_console.display.section import section
from millrace_console.display.table import Cell, Column, Row, Table
from millrace_console.display.text import NONE, ago, date_and_time, number
from millrace_console.pages.overview import all_agents
from millrace_console.panels import Panel, table_panel
from millrace_console.polling import Poll
from millrace_console.visit import Visit
from millrace_core.clock import DAY_MS, MINUTE_MS, now_ms

RANGES = {"1h": 60 * MINUTE_MS, "24h": DAY_MS, "7d": 7 * DAY_MS}
ROWS = 100
ADVICE = {
    "RiskRefused": "A limit of the executor's configuration forbids it; the reason names limit and value.",
    "Halted": "Trading is halted: resume when the reason is gone.",
    "Expired": "It was not sent in time: look at the latencies and at what the executor waits for.",
    "Malformed": "The request cannot be read: mend what sends it; the reason says what is wrong.",
    "InsufficientFunds": "The account has too little: deposit, or have the strategy ask for less.",
    "InvalidOrder": "The exchange's rules forbid it: price, amount or filters of the market.",
    "OrderImmediatelyFillable": "A post-only order would have executed at once: set its price further away.",
    "OrderNotFound": "The exchange does not know the order (any more): it was filled or canceled before.",
    "AuthenticationError": "The exchange refuses the API key: check key, secret and permissions.",
    "PermissionDenied": "The API key may not do this: check its permissions and its list of addresses.",
    "RateLimitExceeded": "The exchange's limits are used up: fewer requests, or another address.",
    "RequestTimeout": "The exchange did not answer: its state was asked for, the answer says what became of it.",
    "NetworkError": "The exchange could not be reached: look at the agents' errors.",
}
"""What to do, by the kind of a failure: classes of ccxt's errors and the executor's own."""


class _Part(NamedTuple):
    """One table of the page."""

    title: str
    path: str
    columns: Sequence[Column]
    row: Callable[[Visit, str, dict[str, Any]], Row]
    empty: str


async def show(visit: Visit) -> None:
    """Build the page."""
    panels: list[Panel] = []

    def choose(chosen: str) -> None:
        visit.place.set(range=chosen)
        for each in panels:
            each.soon()

    with ui.row().classes("items-center gap-3"):
        ui.select(
            {"1h": "last hour", "24h": "last 24 hours", "7d": "last 7 days"},
            value=_range(visit),
            label="Time",
            on_change=lambda e: choose(e.value),
        ).props("dense outlined options-dense")
    for part in _PARTS:
        with section(part.title):
            table = Table(part.title, part.columns, part.empty)
            panels.append(table_panel(visit, table, partial(_rows, visit, part), 5.0))
    with section("Errors of agents"):
        columns = (Column("When (UTC)"), Column("Agent"), Column("Where"), Column("Error"))
        errors = Table("Errors of agents", columns, "No agent reports an error.")
        table_panel(visit, errors, partial(_errors, visit), 5.0)


def _range(visit: Visit) -> str:
    chosen = visit.place.get("range", "24h")
    return chosen if chosen in RANGES else "24h"


async def _rows(visit: Visit, part: _Part, poll: Poll) -> list[Row]:
    since = poll.at_ms - RANGES[_range(visit)]
    rows: list[Row] = []
    for account, answer in await visit.each(poll, part.path, since=since, limit=ROWS):
        rows += [part.row(visit, account.tenant, each) for each in answer["items"]]
    return rows


def _failed(visit: Visit, tenant: str, each: dict[str, Any]) -> Row:
    kind = each["kind"]
    settled = f" Settled since: {each['settled']}." if each["settled"] else ""
    return [
        date_and_time(each["atMs"]),
        tenant,
        f"{each['exchange']} {each['symbol'] or ''}",
        each["orderSource"] or NONE,
        Cell(f"▲ {each['action']}: {each['status']}", "warn nowrap"),
        Cell(f"{kind}: {each['reason']}{settled}", "long"),
        Cell(ADVICE.get(kind, "Look at the reason; the executor's log has more."), "long"),
    ]


def _gap(_visit: Visit, tenant: str, each: dict[str, Any]) -> Row:
    return [
        date_and_time(each["foundMs"]),
        tenant,
        each["stream"],
        number(each["missing"]),
        Cell(each["reason"], "long"),
        Cell("Stored history lacks these messages for good; live readers had a snapshot.", "long"),
    ]


def _dead_letter(_visit: Visit, tenant: str, each: dict[str, Any]) -> Row:
    return [
        date_and_time(each["atMs"]),
        tenant,
        each["stream"],
        each["messageId"],
        Cell(each["reason"], "long"),
        Cell("Its bytes are kept: /api/v1/dead-letters returns them. Mend what wrote it.", "long"),
    ]


async def _errors(visit: Visit, poll: Poll) -> list[Row]:
    agents = all_agents(await visit.each(poll, "/agents"))
    found = [(error, agent) for agent in agents.values() for error in agent["lastErrors"]]
    now = now_ms()
    return [
        [
            f"{date_and_time(error['at'])} ({ago(error['at'], now)} ago)",
            Cell(agent["id"], link=visit.place.to("/configuration", agent=agent["id"])),
            error["where"],
            Cell(error["message"], "long", hint=error["traceback"] or ""),
        ]
        for error, agent in sorted(found, key=lambda each: -each[0]["at"])
    ]


_PARTS = (
    _Part(
        "Failed executions",
        "/failed-executions",
        [
            *(Column("When (UTC)"), Column("Tenant"), Column("Market"), Column("Source")),
            *(Column("What"), Column("Reason"), Column("What to do")),
        ],
        _failed,
        "Every request was carried out.",
    ),
    _Part(
        "Gaps",
        "/gaps",
        [
            *(Column("Found (UTC)"), Column("Tenant"), Column("Stream"), Column("Missing", "number")),
            *(Column("Reason"), Column("What to do")),
        ],
        _gap,
        "No message was lost.",
    ),
    _Part(
        "Dead letters",
        "/dead-letters",
        [
            *(Column("When (UTC)"), Column("Tenant"), Column("Stream"), Column("Message")),
            *(Column("Reason"), Column("What to do")),
        ],
        _dead_letter,
        "Every message could be read.",
    ),
)
