"""Latency: how long each hop takes, the last minute beside the day, and over time."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec
from nicegui import ui

from millrace_console.display.curves import Curves
from millrace_console.display.section import section
from millrace_console.display.table import Column, Row, Table
from millrace_console.display.text import NONE, duration, number
from millrace_console.panels import Panel
from millrace_console.polling import Poll
from millrace_console.visit import Visit
from millrace_core.clock import DAY_MS, MINUTE_MS
from millrace_core.names import StreamName
from millrace_core.trace import HOPS

DAY_MINUTES = 15
"""The length of an interval of the day's chart."""
_ANY = "any"
LOG_MS = {"type": "log", "minorSplitLine": {"show": False}}


class Filters(NamedTuple):
    """Which streams are counted."""

    exchange: str
    symbol: str
    tenant: str

    def fit(self, row: Mapping[str, Any]) -> bool:
        """Tell whether a row is of these streams."""
        name = StreamName.parse(row["stream"])
        wanted = ((self.exchange, name.exchange), (self.symbol, name.symbol or ""), (self.tenant, name.tenant))
        return all(not chosen or chosen == found for chosen, found in wanted)


async def show(visit: Visit) -> None:
    """Build the page."""
    page = _Page(visit)
    with ui.row().classes("items-center gap-3"):
        page.filters()
    with section("By hop"):
        columns = [
            Column("Hop"),
            *(Column(f"{title} {what}", "number") for title in ("Minute", "Day") for what in _SAID),
        ]
        page.table = Table("Latency by hop", columns, "Nothing was measured yet.")
        page.panel = Panel(visit, page.ask, page.show, 5.0)
    with section("p99 over the day, ms"):
        page.chart = Curves("p99 of each hop, ms", LOG_MS)


_SAID = ("count", "p50", "p90", "p99")


class _Page:
    """The page's state: what was read last."""

    table: Table
    chart: Curves
    panel: Panel

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._selects: dict[str, ui.select] = {}

    def filters(self) -> None:
        """Show the choices; they stand in the address."""
        for name, title in (("exchange", "Exchange"), ("symbol", "Symbol"), ("tenant_of", "Tenant")):
            value = self._visit.place.get(name)
            self._selects[name] = (
                ui.select(
                    {"": _ANY} | ({value: value} if value else {}),
                    value=value,
                    label=title,
                    on_change=lambda e, name=name: self._choose(name, e.value),
                )
                .props("dense outlined options-dense")
                .classes("min-w-32")
            )

    def _choose(self, name: str, value: str) -> None:
        if value != self._visit.place.get(name):
            self._visit.place.set(**{name: value})
            self.panel.soon()

    async def ask(self, poll: Poll) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Return the rows of the last two minutes, and those of the day."""
        now = poll.at_ms
        minute = await self._visit.rows(poll, "/latencies", since=now - 2 * MINUTE_MS, minutes=1)
        return minute, await self._visit.rows(poll, "/latencies", since=now - DAY_MS, minutes=DAY_MINUTES)

    def show(self, found: tuple[list[dict[str, Any]], list[dict[str, Any]]]) -> None:
        """Show them."""
        minute, day = found
        self._offer(day)
        place = self._visit.place
        wanted = Filters(place.get("exchange"), place.get("symbol"), place.get("tenant_of"))
        minute, day = [row for row in minute if wanted.fit(row)], [row for row in day if wanted.fit(row)]
        latest, whole = by_hop(minute), by_hop(day)
        self.table.show(_row(hop, latest.get(hop), whole.get(hop)) for hop in in_order({*latest, *whole}))
        self.chart.show(_lines(day))

    def _offer(self, rows: Iterable[Mapping[str, Any]]) -> None:
        names = {StreamName.parse(row["stream"]) for row in rows}
        offered: dict[str, set[str]] = {
            "exchange": {name.exchange for name in names},
            "symbol": {name.symbol or "" for name in names},
            "tenant_of": {name.tenant for name in names},
        }
        for name, select in self._selects.items():
            options = {"": _ANY} | {each: each for each in sorted((offered[name] | {str(select.value)}) - {""})}
            if options != select.options:
                select.set_options(options, value=select.value)


class Spread(msgspec.Struct, frozen=True):
    """Percentiles, ns, of so many measurements."""

    measurements: int
    p50: float
    p90: float
    p99: float


def by_hop(rows: Iterable[Mapping[str, Any]]) -> dict[str, Spread]:
    """Join rows of several streams and intervals: percentiles weigh by their counts, and so are near, not exact."""
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        found[row["hop"]].append(row)
    joined = {}
    for hop, each in found.items():
        count = sum(row["count"] for row in each)
        mean = [sum(row[what] * row["count"] for row in each) / count for what in ("p50", "p90", "p99")]
        joined[hop] = Spread(count, *mean)
    return joined


def in_order(hops: Iterable[str]) -> list[str]:
    """Return hops in the order in which a message passes them."""
    return sorted(hops, key=lambda hop: [HOPS.index(end) if end in HOPS else len(HOPS) for end in hop.split("→")])


def _row(hop: str, latest: Spread | None, whole: Spread | None) -> Row:
    cells = [hop]
    for spread in (latest, whole):
        if spread is None:
            cells += [NONE] * len(_SAID)
        else:
            cells += [number(spread.measurements), *map(duration, (spread.p50, spread.p90, spread.p99))]
    return cells


def _lines(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[tuple[int, float]]]:
    by_time: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        by_time[row["atMs"]].append(row)
    lines: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for at_ms in sorted(by_time):
        for hop, spread in by_hop(by_time[at_ms]).items():
            lines[hop].append((at_ms, round(spread.p99 / 1e6, 3)))
    return {hop: lines[hop] for hop in in_order(lines)}
