"""Redis: the protocol's names and what they hold, read-only, to find a fault."""

from functools import partial
from typing import Any

from nicegui import ui

from millrace_console.accounts import Account
from millrace_console.api import ApiRefused
from millrace_console.display.section import section
from millrace_console.display.table import Cell, Column, Row, Table
from millrace_console.display.text import NONE, number
from millrace_console.panels import Panel, table_panel
from millrace_console.polling import Poll
from millrace_console.visit import Visit

NOT_FOUND = 404
_MOST_NAMES = 300
_NAMES_EVERY_S = 5.0


async def show(visit: Visit) -> None:
    """Build the page."""
    with section("Names"):
        contains = ui.input("Names with this text", value=visit.place.get("contains"))
        contains.props("dense outlined clearable debounce=300").classes("w-full max-w-md")
        ui.label(f"From the protocol's indexes, at most {_MOST_NAMES}; other programs' keys are not shown.").classes(
            "muted"
        )
        with ui.element("div").classes("redis-names"):
            names = Table("Names", [Column("Name"), Column("What may be read")], "There is no such name.")
            found = table_panel(visit, names, partial(_names, visit), _NAMES_EVERY_S)

    def search(text: str | None) -> None:
        visit.place.set(contains=text or None)
        found.soon()

    contains.on_value_change(lambda event: search(event.value))
    if name := visit.place.get("name"):
        with section(name):
            about = Table("About", [Column("Type"), Column("Entries", "number"), Column("Kept for")], "")
            value = Table("Content", [Column("Name"), Column("Content")], "Nothing is there that your tokens may read.")

            def show_value(stored: dict[str, Any] | None) -> None:
                about.show(about_rows(stored))
                value.show([] if stored is None else value_rows(visit, name, stored["entries"]))

            Panel(visit, lambda poll: _value(visit, poll, name), show_value)


async def _names(visit: Visit, poll: Poll) -> list[Row]:
    """Return the names that any of the chosen accounts may know of."""
    readable: dict[str, bool] = {}
    query = {"contains": visit.place.get("contains"), "limit": _MOST_NAMES}
    for _, answer in await visit.each(poll, "/redis/names", **query):
        for each in answer["items"]:
            readable[each["name"]] = readable.get(each["name"], False) or each["readable"]
    return [
        [Cell(name, link=_link(visit, name)), "content" if readable[name] else "type and size"]
        for name in list(readable)[:_MOST_NAMES]
    ]


async def _value(visit: Visit, poll: Poll, name: str) -> dict[str, Any] | None:
    """Return what a name holds, by the account that may read most of it; None if there is nothing."""
    best: dict[str, Any] | None = None
    for account in visit.accounts:
        found = await _ask(poll, account, name)
        if found is not None and (best is None or len(found["entries"]) > len(best["entries"])):
            best = found
    return best


async def _ask(poll: Poll, account: Account, name: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = await poll.get(account, "/redis/value", name=name)
    except ApiRefused as refused:
        if refused.status != NOT_FOUND:
            raise
        return None
    return found


def about_rows(stored: dict[str, Any] | None) -> list[Row]:
    """Return the type, the size and the remaining life of a name."""
    if stored is None:
        return []
    kept = NONE if stored["expiresMs"] is None else f"{stored['expiresMs'] / 1000:,.1f} s"
    return [[stored["kind"], number(stored["size"]), kept]]


def value_rows(visit: Visit, name: str, entries: list[list[str]]) -> list[Row]:
    """Return a row for each entry; the members of indexes lead to what they name."""
    prefix = order_prefix(name)
    rows: list[Row] = []
    for entry, text in entries:
        target = f"{prefix}{entry}" if prefix else entry if name.startswith("index.journals.") else ""
        rows.append([Cell(entry or NONE, link=_link(visit, target) if target else ""), Cell(text or NONE, "wrap")])
    return rows


def order_prefix(name: str) -> str:
    """Return the beginning of the names of the orders that a list of order ids names; empty for other names."""
    kind, brace, rest = name.partition(".{")
    if kind not in ("orders", "openOrders") or not brace:
        return ""
    return f"order.{{{rest.partition('}')[0]}}}."


def _link(visit: Visit, name: str) -> str:
    return visit.place.to("/redis", name=name, contains=visit.place.get("contains"))
