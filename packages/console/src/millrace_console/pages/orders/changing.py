"""Editing and canceling an open order by hand."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from nicegui import ui

from millrace_console.display.text import number
from millrace_console.markets import Market
from millrace_console.pages.orders.checks import check_edit, currencies
from millrace_console.pages.orders.known_terms import KnownTerms
from millrace_console.pages.orders.placing import sight_of
from millrace_console.pages.orders.sending import Change, confirm
from millrace_console.visit import Visit
from millrace_core.names import ExchangeId, Symbol, Tenant

Record = dict[str, Any]
"""An order as `/orders` lists it."""


def ask_to_cancel(visit: Visit, tenant: str, record: Record, on_done: Callable[[], None]) -> None:
    """Cancel an order if it is confirmed."""
    order = record["order"]
    base, quote_currency = currencies(str(record["symbol"]))
    rest = order.get("remaining") or order.get("amount")
    words = (
        f"Cancel order {order['id']} of {tenant} on {record['exchange']}: the rest of the "
        f"{order.get('side') or 'order'}, {number(rest)} {base} at {number(order.get('price'))} {quote_currency}, "
        "is taken from the book. What is filled stays filled."
    )
    query = {"exchange": record["exchange"], "symbol": record["symbol"]}
    change = Change(visit.account(tenant), "DELETE", _path(order), query)
    confirm(visit, change, "Cancel the order", words, [], on_done)


def ask_to_edit(visit: Visit, tenant: str, record: Record, on_done: Callable[[], None]) -> None:
    """Open the form with an order's terms, and change those that a person changes and confirms."""
    order = record["order"]
    market = Market(Tenant(tenant), ExchangeId(record["exchange"]), Symbol(record["symbol"]))
    stream = visit.follow(market.stream("watchOrderBook"))
    with (
        ui.dialog(value=True).props('aria-label="Edit the order"') as dialog,
        ui.card().classes("w-full max-w-lg order-form"),
    ):
        ui.label(f"Edit order {order['id']}").props("role=heading aria-level=2").classes("text-lg")
        ui.label(f"{order.get('side')} {record['symbol']} on {record['exchange']} for {tenant}").classes("muted")
        with ui.element("div").classes("order-fields"):
            amount = ui.input("Amount", value=str(order.get("amount") or "")).props("dense outlined")
            price = ui.input("Price", value=str(order.get("price") or "")).props("dense outlined")
        takes = KnownTerms(visit)
        problems = ui.label().classes("bad whitespace-pre-line").props('role="alert"')

        def done() -> None:
            dialog.close()
            on_done()

        async def check() -> None:
            await takes.learn(market)
            checked = check_edit(order, amount.value, price.value, sight_of(stream, takes.terms))
            problems.text = "\n".join(f"✖ {each}" for each in checked.problems)
            if not checked.problems:
                payload = {"symbol": record["symbol"], **checked.body}
                body = {"exchangeId": record["exchange"], "payload": payload}
                change = Change(visit.account(tenant), "PATCH", _path(order), body=body)
                confirm(visit, change, "Change the order", checked.words, checked.warnings, done)

        with ui.row().classes("w-full justify-end"):
            ui.button("Leave as it is", on_click=dialog.close).props("flat no-caps")
            ui.button("Check …", on_click=check).props("no-caps unelevated")
        ui.timer(0, lambda: takes.learn(market), once=True)


def _path(order: Record) -> str:
    return f"/orders/{quote(order['id'], safe='')}"
