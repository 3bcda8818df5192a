"""Stops a tenant: takes it out of every configuration, and revokes its tokens if that is wanted."""

from functools import partial
from typing import Any

from nicegui import ui

from millrace_console.accounts import Account
from millrace_console.api import ApiError
from millrace_console.pages.tenants.edits import Edit, PartlyWritten, edit_of, show_edits, write
from millrace_console.visit import Visit
from millrace_core.config.tenants import removed
from millrace_core.names import Tenant

ORDER = ("magicbox", "executor", "gatherer", "dbsync")
"""Strategies end first, while their orders can still be cancelled; what happens is stored to the end."""


async def ask_to_stop(visit: Visit, operator: Account, tenant: Tenant) -> None:
    """Show what stopping a tenant changes, and do it if that is confirmed."""
    try:
        edits = await _plan(visit, operator, tenant)
        found = await visit.api.get(operator, "/tokens", tenant=tenant)
    except ApiError as error:
        ui.notify(f"Nothing was changed: {error}", type="negative")
        return
    tokens = [each for each in found["items"] if each["revokedMs"] is None]
    with ui.dialog(value=True).props('aria-label="Stop a tenant"') as dialog, ui.card().classes("w-full max-w-3xl"):
        ui.label(f"Stop {tenant}").props("role=heading aria-level=2").classes("text-lg")
        is_right = show_edits(edits) if edits else True
        if not edits:
            ui.label("No configuration names it.").classes("muted")
        ui.label("Its open orders stay open on the exchange: cancel them first. Its history stays in the database.")
        revokes = ui.checkbox(f"Revoke its {len(tokens)} tokens as well", value=bool(tokens))

        async def stop() -> None:
            dialog.close()
            try:
                await write(edits)
                for each in tokens if revokes.value else ():
                    await visit.api.ask(operator, "DELETE", f"/tokens/{each['id']}", query={"tenant": tenant})
            except (PartlyWritten, ApiError) as error:
                ui.notify(str(error), type="negative", multi_line=True, timeout=0, close_button="OK")
                return
            ui.notify(f"{tenant} is stopped", type="positive")

        with ui.row().classes("w-full justify-end"):
            ui.button("Leave as it is", on_click=dialog.close).props("flat no-caps")
            ui.button("Stop it now", color=None, on_click=stop).classes("halt").props("no-caps unelevated").set_enabled(
                is_right
            )


async def _plan(visit: Visit, operator: Account, tenant: Tenant) -> list[Edit]:
    summaries = (await visit.api.get(operator, "/configs"))["items"]
    named: list[dict[str, Any]] = [each for each in summaries if tenant in each["tenants"]]
    named.sort(key=lambda each: (*ORDER, each["kind"]).index(each["kind"]))
    change = partial(removed, tenant=tenant)
    return [await edit_of(visit.api, operator, each["agentId"], each["kind"], change) for each in named]
