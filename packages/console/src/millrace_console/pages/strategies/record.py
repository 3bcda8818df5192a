"""What a strategy shows of itself: its plots, its newest log lines, and the state that it keeps over restarts."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from nicegui import ui

from millrace_console.api import ApiRefused
from millrace_console.display.curves import Curves, Line
from millrace_console.display.section import section
from millrace_console.display.table import Cell, Column, Row, Table
from millrace_console.display.text import date_and_time
from millrace_console.panels import Panel
from millrace_console.polling import Poll
from millrace_console.visit import Visit
from millrace_core.names import Tenant, strategy_key

NOT_FOUND = 404
_FIELDS = 200
"""As many fields as the API returns of a name."""
LOG = (Column("Time (UTC)"), Column("Level"), Column("Text"))
STATE = (Column("Field"), Column("Value"))
_STYLES = {"warning": "warn", "error": "bad", "critical": "bad"}


class Record(NamedTuple):
    """A strategy's record, as far as it can be read."""

    plots: Mapping[str, Line] = {}
    log: tuple[Row, ...] = ()
    """The newest first."""
    state: tuple[Row, ...] = ()


def record_of(entries: Iterable[tuple[str, str]]) -> Record:
    """Return what the fields of a record say. Pure."""
    fields = dict(entries)
    plots = {
        name.removeprefix("plot."): line
        for name, text in sorted(fields.items())
        if name.startswith("plot.") and (line := _decoded(text, list))
    }
    log: list[Row] = [
        [date_and_time(line["at"]), Cell(line["level"], _STYLES.get(line["level"], "")), Cell(line["text"], "wrap")]
        for line in reversed(_decoded(fields.get("log", ""), list) or [])
    ]
    state = _decoded(fields.get("state", ""), dict) or {}
    rows: list[Row] = [[name, Cell(json.dumps(value, ensure_ascii=False), "wrap")] for name, value in state.items()]
    return Record(plots, tuple(log), tuple(rows))


class StrategyRecord:
    """The sections of one strategy, asked for again and again."""

    def __init__(self, visit: Visit, unit: str) -> None:
        tenant, _, name = unit.partition(".")
        self._account, self._key = visit.account(tenant), strategy_key(Tenant(tenant), name)
        with section("Plots"):
            self._curves = Curves(f"Plots of {unit}", empty="It plots nothing.")
        with ui.element("div").classes("grid-panels"):
            with section("Log"):
                self._log = Table("Log", LOG, "It has logged nothing yet.")
            with section("State"):
                self._state = Table("State", STATE, "It keeps nothing over restarts.")
        Panel(visit, self._ask, self._show)

    async def _ask(self, poll: Poll) -> Record:
        try:
            found = await poll.get(self._account, "/redis/value", name=self._key, limit=_FIELDS)
        except ApiRefused as refused:
            if refused.status != NOT_FOUND:
                raise
            return Record()
        return record_of((name, text) for name, text in found["entries"])

    def _show(self, record: Record) -> None:
        self._curves.show(record.plots)
        self._log.show(record.log)
        self._state.show(record.state)


def _decoded(text: str, kind: type[Any]) -> Any:
    """Return a field's value; None if it is cut off, or something else."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, kind) else None
