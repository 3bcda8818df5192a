"""One order's whole history: its terms, everything that happened, and where the time went."""

from typing import Any
from urllib.parse import quote

from nicegui import ui

from millrace_console.display.section import section
from millrace_console.display.table import Cell, Column, Row, Table
from millrace_console.display.text import NONE, html, number
from millrace_console.display.waterfall import bars_of, waterfall_html
from millrace_console.pages.orders.changing import ask_to_cancel, ask_to_edit
from millrace_console.pages.orders.timeline import moment, timeline
from millrace_console.panels import Panel
from millrace_console.polling import Poll
from millrace_console.visit import Visit

Record = dict[str, Any]


def show(visit: Visit) -> None:
    """Build the page for the order or request that the address names."""
    OrderHistoryPage(visit)


class OrderHistoryPage:
    """The parts of the page, filled again whenever the API knows more."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._tenant, *market = visit.place.get("at").split(".", 2)
        # Exchanges number their own orders, and some those of each symbol.
        self._market = dict(zip(("exchange", "symbol"), market, strict=False))
        self._record: Record | None = None
        with section(self._title):
            ui.link("← all orders", visit.place.here(order=None, request=None, at=None))
            self._facts = ui.html("", sanitize=False)
            with ui.row().classes("gap-2"):
                self._edit = ui.button("Edit …", on_click=lambda: self._change(ask_to_edit))
                self._cancel = ui.button("Cancel …", on_click=lambda: self._change(ask_to_cancel))
            for each in (self._edit, self._cancel):
                each.props("dense no-caps outline").visible = False
        with section("What happened"):
            columns = [Column("Time (UTC)"), Column("Later by", "number"), Column("What"), Column("Details")]
            self._events = Table("What happened", columns, "Nothing is stored of it yet.")
        with section("Where the time went"):
            self._latency = ui.html("", sanitize=False).classes("w-full")
            self._panel = Panel(visit, self._ask, self._show, 1.0)

    @property
    def _title(self) -> str:
        place = self._visit.place
        return f"Order {place.get('order')}" if place.get("order") else f"Request {place.get('request')}"

    async def _ask(self, poll: Poll) -> Record:
        place, account = self._visit.place, self._visit.account(self._tenant)
        if request := place.get("request"):
            found = await poll.get(account, f"/requests/{quote(request, safe='')}")
        else:
            path = f"/orders/{quote(place.get('order'), safe='')}"
            found = await poll.get(account, path, **self._market)
        return dict(found)

    def _show(self, history: Record) -> None:
        self._record = history["order"]
        self._facts.content = _facts_html(self._tenant, history)
        is_open = bool(self._record) and self._record["order"].get("status") == "open"
        can_change = is_open and self._visit.account(self._tenant).may("trade")
        self._edit.visible = self._cancel.visible = can_change
        self._events.show(_rows(history))
        self._latency.content = _waterfalls(history)

    def _change(self, ask: Any) -> None:
        if self._record is not None:
            ask(self._visit, self._tenant, self._record, on_done=self._panel.soon)


def _rows(history: Record) -> list[Row]:
    rows: list[Row] = []
    before = None
    for event in timeline(history):
        later = NONE if before is None else f"{event.at_ms - before:,} ms"
        rows.append([moment(event.at_ms), later, Cell(event.what, event.style), event.details])
        before = event.at_ms
    return rows


def _waterfalls(history: Record) -> str:
    """Return the latencies of every answer: of the order's own, then of each later change."""
    parts = []
    for each in history["responses"]:
        title = f"{each['action']}: {each['status']}"
        parts.append(f"<h3>{html(title)}</h3>{waterfall_html(bars_of(each['latencies']), title)}")
    return "".join(parts) or '<p class="muted">No answer is stored yet.</p>'


def _facts_html(tenant: str, history: Record) -> str:
    record = history["order"]
    if record is None:
        return '<p class="muted">No order was placed.</p>'
    order = record["order"]
    fees = ", ".join(f"{number(each.get('cost'))} {each.get('currency') or ''}" for each in order.get("fees", []))
    facts = {
        "Tenant": tenant,
        "Market": f"{record['symbol'] or NONE} · {record['exchange']}",
        "Side": {"buy": "▲ buy", "sell": "▼ sell"}.get(order.get("side"), NONE),
        "Type": " ".join(
            filter(None, (order.get("type"), order.get("timeInForce"), "post-only" * bool(order.get("postOnly"))))
        ),
        "Price": number(order.get("price")),
        "Amount": number(order.get("amount")),
        "Filled": number(order.get("filled")),
        "Average": number(order.get("average")),
        "Cost": number(order.get("cost")),
        "Fees": fees or NONE,
        "Status": order.get("status") or NONE,
        "Source": record["orderSource"] or NONE,
    }
    return '<dl class="order-facts">' + "".join(
        f"<div><dt>{name}</dt><dd>{html(value)}</dd></div>" for name, value in facts.items()
    ) + "</dl>"  # fmt: skip
