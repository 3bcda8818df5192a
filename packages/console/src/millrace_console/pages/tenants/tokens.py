"""A tenant's tokens: listed, created (shown once) and revoked."""

from typing import Any

from nicegui import ui

from millrace_console.accounts import Account
from millrace_console.api import ApiError
from millrace_console.display.text import NONE, date_and_time
from millrace_console.panels import Panel
from millrace_console.polling import Poll
from millrace_console.visit import Visit


def show_tokens(visit: Visit, operator: Account, tenant: str) -> None:
    """Show a tenant's tokens, with ways to create and to revoke one."""
    name = ui.input("Name of a new token", placeholder="who will use it").props("dense")
    role = ui.select(["read", "trade", "admin"], value="read", label="Role").props("dense").classes("min-w-32")

    async def create() -> None:
        if name.value:
            await create_token(visit, operator, tenant, name.value, role.value)
            panel.soon()

    ui.button("Create the token", icon="key", on_click=create).props("no-caps outline dense")
    shown: list[dict[str, Any]] | None = None
    panel: Panel

    def show(tokens: list[dict[str, Any]]) -> None:
        nonlocal shown
        if tokens != shown:
            shown = tokens
            place.clear()
            with place:
                for each in tokens:
                    _line(visit, operator, tenant, each, panel)

    async def ask(poll: Poll) -> list[dict[str, Any]]:
        found = await poll.get(operator, "/tokens", tenant=tenant)
        return [each for each in found["items"] if each["revokedMs"] is None]

    panel = Panel(visit, ask, show)
    place = ui.element("div").classes("w-full")


async def create_token(visit: Visit, operator: Account, tenant: str, name: str, role: str) -> None:
    """Create a token and show it, once."""
    body = {"name": name, "role": role}
    try:
        made = await visit.api.ask(operator, "POST", "/tokens", query={"tenant": tenant}, body=body)
    except ApiError as error:
        ui.notify(f"No token was created: {error}", type="negative", multi_line=True, timeout=0, close_button="OK")
        return
    with (
        ui.dialog(value=True).props('persistent aria-label="A new token"') as dialog,
        ui.card().classes("w-full max-w-2xl"),
    ):
        ui.label(f"Token of {tenant}: {made['name']} ({made['role']})").props("role=heading aria-level=2").classes(
            "text-lg"
        )
        ui.label("It is shown only now. Whoever has it acts as this tenant.").classes("warn")
        ui.input("Token", value=made["token"]).props("readonly").classes("w-full")
        with ui.row().classes("w-full justify-end"):
            ui.button("Copy", on_click=lambda: ui.clipboard.write(made["token"])).props("flat no-caps")
            ui.button("I have kept it", on_click=dialog.close).props("no-caps unelevated")


def _line(visit: Visit, operator: Account, tenant: str, token: dict[str, Any], panel: Panel) -> None:
    ends = f", until {date_and_time(token['expiresMs'])}" if token["expiresMs"] else ""
    used = date_and_time(token["lastUsedMs"]) if token["lastUsedMs"] else NONE

    async def revoke() -> None:
        try:
            await visit.api.ask(operator, "DELETE", f"/tokens/{token['id']}", query={"tenant": tenant})
        except ApiError as error:
            ui.notify(f"NOT revoked: {error}", type="negative")
            return
        ui.notify(f"{token['name']} is revoked", type="positive")
        panel.soon()

    def ask() -> None:
        with ui.dialog(value=True).props('aria-label="Revoke a token"') as dialog, ui.card():
            ui.label(f"The token {token['name']} of {tenant} stops working within 5 s, on live connections too.")
            with ui.row().classes("w-full justify-end"):
                ui.button("Leave as it is", on_click=dialog.close).props("flat no-caps")
                ui.button("Revoke now", on_click=revoke).props("no-caps unelevated").on_click(dialog.close)

    with ui.row().classes("w-full items-center gap-3"):
        ui.label(f"{token['name']} ({token['role']}{ends})")
        ui.label(f"created {date_and_time(token['createdMs'])}, last used {used} UTC").classes("muted")
        ui.button("Revoke …", on_click=ask).props(f'flat dense no-caps aria-label="Revoke {token["id"]} …"')
