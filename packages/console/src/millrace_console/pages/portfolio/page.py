"""The parts of the page, and what each asks."""

import asyncio
from decimal import Decimal
from typing import Any

from nicegui import ui

from millrace_console.display.curves import Curves
from millrace_console.display.section import section
from millrace_console.display.table import Table
from millrace_console.display.text import html
from millrace_console.downloads import export_link
from millrace_console.pages.portfolio.choice import DATES, HOUR_MS, Choice
from millrace_console.pages.portfolio.filters import Filters
from millrace_console.pages.portfolio.profits import Profit, cumulated, summed
from millrace_console.pages.portfolio.rows import (
    BALANCES,
    POSITIONS,
    balance_rows,
    position_row,
    profit_columns,
    profit_rows,
)
from millrace_console.panels import Panel
from millrace_console.polling import Poll
from millrace_console.visit import Visit
from millrace_core.clock import DAY_MS, now_ms

MOST = 10_000
EXPORTS = {
    "ownTrades": "Own trades",
    "orders": "Orders",
    "balances": "Balances",
    "requests": "Requests",
    "responses": "Answers",
    "failedExecutions": "Failed executions",
}
"""The histories that are offered as files."""
Samples = list[tuple[str, list[dict[str, Any]]]]
"""Of each tenant."""


class PortfolioPage:
    """Filters, tables and charts."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._filters = Filters(visit, self._again)
        self._panels: list[Panel] = []
        self._by: tuple[str, ...] | None = None
        with section("Profit"):
            self._filters.by()
            self._profit_place = ui.element("div").classes("w-full pt-2")
            self._panel(self._ask_profits, self._show_profits, 5.0)
        with ui.element("div").classes("grid-panels"):
            with section("Realised profit, cumulated"):
                self._profit_curve = Curves("Realised profit, cumulated")
            with section("Equity, all strategies"):
                equity = Curves("Equity")
                self._panel(self._ask_equity, lambda found: equity.show(_equity_lines(found)), 10.0)
        with section("Positions"):
            self._positions = Table("Positions", POSITIONS, "No own trade fits.")
            self._panel(lambda poll: self._ask_each(poll, "/positions", limit=MOST), self._show_positions, 2.0)
        with section("Balances, all strategies"):
            balances = Table("Balances", BALANCES, "No balance is known yet.")
            self._panel(self._ask_balances, lambda found: _show_balances(balances, found), 5.0)
        with section("Exports of the chosen time and market"):
            self._exports = ui.html("", sanitize=False).classes("w-full")
            self._show_exports()

    def _panel(self, ask: Any, show: Any, every_s: float) -> None:
        self._panels.append(Panel(self._visit, ask, show, every_s))

    def _again(self) -> None:
        self._show_exports()
        for each in self._panels:
            each.soon()

    async def _ask_each(self, poll: Poll, path: str, **query: Any) -> Samples:
        accounts = self._visit.trading_accounts
        answers = await asyncio.gather(*(poll.get(each, path, **query) for each in accounts))
        return [(account.tenant, answer["items"]) for account, answer in zip(accounts, answers, strict=True)]

    async def _ask_profits(self, poll: Poll) -> tuple[Choice, list[Profit]]:
        choice = Choice.at(self._visit.place)
        query = choice.query() | {"by": ["source", "symbol", "exchange"], "interval": choice.span.profit}
        found = await self._ask_each(poll, "/pnl", since=choice.since_ms(poll.at_ms), **query)
        return choice, [Profit(tenant, row) for tenant, rows in found for row in rows]

    def _show_profits(self, found: tuple[Choice, list[Profit]]) -> None:
        choice, profits = found
        if choice.by != self._by:
            self._by = choice.by
            self._profit_place.clear()
            with self._profit_place:
                self._profit = Table("Profit", profit_columns(choice.by), "No own trade fits.")
        self._profit.show(profit_rows(summed(profits, choice.by)))
        interval_ms = HOUR_MS if choice.span.profit == "1h" else DAY_MS
        apart = [each for each in choice.by if each not in DATES]
        self._profit_curve.show(cumulated(profits, apart, interval_ms, now_ms()))

    async def _ask_equity(self, poll: Poll) -> Samples:
        choice = Choice.at(self._visit.place)
        since_ms = choice.since_ms(poll.at_ms)
        return await self._ask_each(poll, "/equity", since=since_ms, interval=choice.span.equity, limit=MOST)

    async def _ask_balances(self, poll: Poll) -> Samples:
        return await self._ask_each(poll, "/equity", descending=True, limit=1, holdings=True)

    def _show_positions(self, found: Samples) -> None:
        self._filters.offer(row for _, rows in found for row in rows)
        choice, now = Choice.at(self._visit.place), now_ms()
        rows = [(tenant, row) for tenant, rows in found for row in rows if choice.shows(row)]
        rows.sort(key=lambda each: (not Decimal(each[1]["quantity"]), each[0], each[1]["symbol"]))
        self._positions.show(position_row(tenant, row, now) for tenant, row in rows)

    def _show_exports(self) -> None:
        choice = Choice.at(self._visit.place)
        lines = [
            f"<p>{html(each.tenant)}: {', '.join(_export(each.tenant, kind, choice) for kind in EXPORTS)}</p>"
            for each in self._visit.trading_accounts
        ]
        self._exports.content = "".join(lines)


def _export(tenant: str, kind: str, choice: Choice) -> str:
    """Return links to one history as files."""
    links = []
    for form, title in (("csv", "CSV"), ("parquet", "Parquet")):
        target = html(export_link(tenant, kind, choice.export(kind) | {"format": form}))
        label = f"{EXPORTS[kind]} of {html(tenant)} as {title}"
        links.append(f'<a class="underline" href="{target}" download aria-label="{label}">{title}</a>')
    return f"{EXPORTS[kind]} {' '.join(links)}"


def _show_balances(table: Table, found: Samples) -> None:
    now = now_ms()
    table.show(row for tenant, samples in found for each in samples for row in balance_rows(tenant, each, now))


def _equity_lines(found: Samples) -> dict[str, list[tuple[int, str]]]:
    return {
        f"{tenant} · {samples[-1]['currency']}": [(each["atMs"], each["value"]) for each in samples]
        for tenant, samples in found
        if samples
    }
