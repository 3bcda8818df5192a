"""Tenants, for the operator: which there are, one more in one form, their tokens, and stopping one."""

from typing import Any

from nicegui import ui

from millrace_console.accounts import Account
from millrace_console.display.section import section
from millrace_console.display.table import Cell, Column, Row, Table
from millrace_console.display.text import number
from millrace_console.pages.tenants.adding import ask_for_tenant
from millrace_console.pages.tenants.stopping import ask_to_stop
from millrace_console.pages.tenants.tokens import show_tokens
from millrace_console.panels import table_panel
from millrace_console.polling import Poll
from millrace_console.visit import Visit
from millrace_core.names import PUBLIC, tenant_or_none

COLUMNS = (
    Column("Tenant"),
    Column("In the configurations of"),
    Column("Streams", "number"),
    Column("Tokens", "number"),
)


async def show(visit: Visit) -> None:
    """Build the page."""
    operator = next((each for each in visit.all_accounts if each.is_operator), None)
    if operator is None:
        ui.label("Only an operator, an admin of PUBLIC, sees all tenants. Sign in with such a token as well.")
        return
    with section("Tenants"):
        ui.button("Add a tenant …", icon="add", on_click=lambda: ask_for_tenant(visit, operator)).props(
            "no-caps unelevated dense"
        )
        table = Table("Tenants", COLUMNS, "There is no tenant yet.")
        table_panel(visit, table, lambda poll: _tenants(visit, poll, operator))
        ui.label("Orders, balances and positions of a tenant are seen with its own tokens only.").classes("muted")
    chosen = tenant_or_none(visit.place.get("name"))
    if chosen is not None:
        with section(f"Tokens of {chosen}"):
            show_tokens(visit, operator, chosen)
        if chosen != PUBLIC:
            with section(f"Stop {chosen}"):
                ui.label("Removes it from all configurations; you see the changes first.").classes("muted")
                stop = ui.button("Stop it …", icon="block", on_click=lambda: ask_to_stop(visit, operator, chosen))
                stop.props("no-caps outline dense")


async def _tenants(visit: Visit, poll: Poll, operator: Account) -> list[Row]:
    found = await poll.get(operator, "/tenants")
    return [_row(visit, each) for each in found["items"]]


def _row(visit: Visit, tenant: dict[str, Any]) -> Row:
    name = tenant["tenant"]
    agents = Cell(", ".join(tenant["agents"]) or "none", "" if tenant["agents"] else "muted")
    link = visit.place.to("/tenants", name=name)
    return [Cell(name, link=link), agents, number(tenant["streams"]), number(tenant["tokens"])]
