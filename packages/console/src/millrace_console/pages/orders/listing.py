"""The list of orders: filters that stand in the address, pages, and what can be done with each open order."""

import asyncio
from contextlib import ExitStack
from typing import Any

from nicegui import ui

from millrace_console.accounts import Account
from millrace_console.api import ApiError
from millrace_console.display.condition import RIGHT, condition_of
from millrace_console.display.section import section
from millrace_console.display.table import Cell, Column, Row, Table
from millrace_console.display.text import NONE, date_and_time, number
from millrace_console.live import Connections, Stream
from millrace_console.markets import Market, listed
from millrace_console.pages.orders.canceling import ask_to_cancel_all
from millrace_console.pages.orders.changing import ask_to_cancel, ask_to_edit
from millrace_console.pages.orders.paging import Answer, OrderPage, page_of
from millrace_console.pages.orders.placing import ask_for_order
from millrace_console.panels import Panel
from millrace_console.place import Place
from millrace_console.polling import Poll
from millrace_console.visit import Visit
from millrace_core.clock import now_ms
from millrace_core.names import ExchangeId, Symbol, Tenant

PAGE = 50
STATUSES = {
    "": "any status",
    "open": "open",
    "closed": "closed (filled)",
    "canceled": "canceled",
    "expired": "expired",
    "rejected": "rejected",
}
SIGNS = {"open": "○", "closed": "●", "canceled": "✕", "expired": "✕", "rejected": "✖"}
COLUMNS = (
    Column("Created (UTC)"), Column("Order"), Column("Market"), Column("Side"), Column("Type"),
    Column("Price", "number"), Column("Amount", "number"), Column("Filled", "number"), Column("Average", "number"),
    Column("Status"), Column("Source"), Column("Edit"), Column("Cancel"),
)  # fmt: skip


async def show(visit: Visit) -> None:
    """Build the list."""
    try:
        markets = await listed(visit)
    except ApiError:
        markets = []  # the list itself says that the API does not answer
    OrderList(visit, markets)


class OrderList:
    """Filters, table and pages."""

    def __init__(self, visit: Visit, markets: list[Market]) -> None:
        self._visit, self._markets = visit, markets
        self._page = OrderPage([], None)
        self._own = visit.share(
            ("streams of own orders", visit.all_accounts), lambda ending: _OwnStreams(visit.connections, ending)
        )
        with section("Orders"):
            self._filters()
            self._table = Table("Orders", COLUMNS, "No order matches.")
            self._table.on_action(self._act)
            self._panel = Panel(visit, self._ask, self._show, name="Orders")
            self._pages = ui.row().classes("items-center gap-3 pt-2")

    def _filters(self) -> None:
        symbols = sorted({each.symbol for each in self._markets})
        exchanges = sorted({each.exchange for each in self._markets})
        with ui.element("div").classes("order-filters"):
            self._select("exchange", "Exchange", {"": "any exchange"} | {each: each for each in exchanges})
            self._select("symbol", "Symbol", {"": "any symbol"} | {each: each for each in symbols})
            self._select("status", "Status", STATUSES)
            self._input("source", "Source")
            self._input("since", "From (UTC)", "datetime-local")
            self._input("until", "Until (UTC)", "datetime-local")
            if any(each.may("trade") for each in self._visit.trading_accounts):
                ui.button("Place an order …", icon="add", on_click=self._place).props("no-caps unelevated")
                ui.button("Cancel all …", on_click=self._cancel_all).props("no-caps outline")

    def _select(self, name: str, label: str, options: dict[str, str]) -> None:
        value = self._visit.place.get(name)
        ui.select(
            options | ({value: value} if value not in options else {}), value=value, label=label,
            on_change=lambda e: self._filter(name, e.value),
        ).props("dense outlined options-dense")  # fmt: skip

    def _input(self, name: str, label: str, kind: str = "text") -> None:
        given = ui.input(label, value=self._visit.place.get(name)).props(f"dense outlined stack-label type={kind}")
        # A filter is complete when one leaves its field, or presses Enter.
        given.on("change", lambda: self._filter(name, given.value))

    def _filter(self, name: str, value: str) -> None:
        self._visit.place.set(**{name: value, "before": None})
        self._panel.soon()

    def _place(self) -> None:
        symbol, exchange = self._visit.place.get("symbol"), self._visit.place.get("exchange")
        fit = [each for each in self._markets if symbol in ("", each.symbol) and exchange in ("", each.exchange)]
        ask_for_order(self._visit, *(fit or self._markets), on_done=self._panel.soon)

    def _cancel_all(self) -> None:
        ask_to_cancel_all(self._visit, self._markets, on_done=self._panel.soon)

    async def _ask(self, poll: Poll) -> tuple[OrderPage, str]:
        """Return the page of orders, and its table."""
        place = self._visit.place.copy()
        names = ("exchange", "symbol", "status", "source", "since")
        query = {name: place.get(name) or None for name in names}
        query["until"] = place.get("before") or place.get("until") or None
        accounts = self._visit.trading_accounts
        answers = await asyncio.gather(*(poll.get(each, "/orders", limit=PAGE, **query) for each in accounts))
        page = page_of(
            [
                Answer(account.tenant, answer["items"], answer["next_cursor"] is not None)
                for account, answer in zip(accounts, answers, strict=True)
            ]
        )
        return page, self._table.html(_row(self._visit, place, *each, self._doubt(*each)) for each in page.orders)

    def _show(self, found: tuple[OrderPage, str]) -> None:
        page, content = found
        self._table.put(content)
        is_same = page.before_ms == self._page.before_ms
        self._page = page
        if not is_same or not self._pages.default_slot.children:
            self._links()

    def _doubt(self, tenant: str, record: dict[str, Any]) -> str:
        """Return why an order that is stored as open may be gone: its stream's condition; empty if that is live."""
        if record["order"].get("status") != "open" or not record["symbol"]:
            return ""
        market = Market(Tenant(tenant), ExchangeId(record["exchange"]), Symbol(record["symbol"]))
        condition = condition_of(self._own.of(self._visit.account(tenant), market), now_ms())
        return "" if condition in (*RIGHT, "starting") else condition

    def _links(self) -> None:
        place = self._visit.place
        self._pages.clear()
        with self._pages:
            ui.label(f"before {date_and_time(int(place.get('before')))} UTC" if place.get("before") else "the newest")
            if place.get("before"):
                ui.link("Newest", place.here(before=None))
            if self._page.before_ms is not None:
                ui.link("Older", place.here(before=str(self._page.before_ms)))

    def _act(self, action: str) -> None:
        """Carry out `edit` or `cancel` of the order whose id follows."""
        verb, _, key = action.partition(" ")
        found = next((each for each in self._page.orders if key_of(*each) == key), None)
        if found is not None:
            ask = ask_to_edit if verb == "edit" else ask_to_cancel
            ask(self._visit, *found, on_done=self._panel.soon)


class _OwnStreams:
    """The streams of the open orders that were shown, followed while any page shows orders of these accounts."""

    def __init__(self, connections: Connections, ending: ExitStack) -> None:
        self._connections, self._ending = connections, ending
        self._streams: dict[Market, Stream] = {}

    def of(self, account: Account, market: Market) -> Stream:
        """Return the stream of an account's own orders in a market."""
        if market not in self._streams:
            watching = self._connections.of(account).watching(market.stream("watchOrders"))
            self._streams[market] = self._ending.enter_context(watching)
        return self._streams[market]


def key_of(tenant: str, order: dict[str, Any]) -> str:
    """Return what tells an order from all others: exchanges number their own orders, some those of each symbol."""
    return f"{tenant}.{order['exchange']}.{order['symbol']} {order['order']['id']}"


def _row(visit: Visit, place: Place, tenant: str, record: dict[str, Any], doubt: str) -> Row:
    order = record["order"]
    side, status = order.get("side") or NONE, order.get("status") or NONE
    at = f"{tenant}.{record['exchange']}.{record['symbol'] or ''}"
    can_change = status == "open" and visit.account(tenant).may("trade")
    about, created = f"order {order['id']}", date_and_time(record["createdMs"])
    several = len(visit.trading_accounts) > 1
    key = key_of(tenant, record)
    return [
        Cell(created[5:], hint=created),
        Cell(order["id"], link=place.here(order=order["id"], at=at)),
        f"{record['symbol'] or NONE} {record['exchange']}" + (f" · {tenant}" if several else ""),
        Cell({"buy": "▲ buy", "sell": "▼ sell"}.get(side, side), {"buy": "up", "sell": "down"}.get(side, "")),
        order.get("type") or NONE,
        number(order.get("price")),
        number(order.get("amount")),
        number(order.get("filled")),
        number(order.get("average")),
        _status(status, doubt),
        record["orderSource"] or NONE,
        Cell("Edit", hint=f"Edit {about}", action=f"edit {key}") if can_change else "",
        Cell("Cancel", hint=f"Cancel {about}", action=f"cancel {key}") if can_change else "",
    ]


def _status(status: str, doubt: str) -> Cell:
    """Return the status, faded if it is not known to be the present one."""
    text = f"{SIGNS.get(status, '')} {status}"
    if not doubt:
        return Cell(text)
    hint = f"The stream of own orders of this market is {doubt}: the order may be filled or canceled by now."
    return Cell(f"{text} ({doubt})", "old", hint=hint)
