"""Saving: what will change and restart, said before it happens; and what another changed meanwhile."""

from collections.abc import Callable
from typing import Any

from nicegui import ui

from millrace_console.api import ApiError, ApiRefused
from millrace_console.display.changes import CHANGES, UNITS, change_rows, reversed_changes, unit_rows
from millrace_console.display.table import Table
from millrace_console.pages.configuration.agent_config import AgentConfig
from millrace_console.pages.configuration.editor import Editor

CHANGED_MEANWHILE = 412


def show_difference(found: dict[str, Any]) -> None:
    """Show what a configuration would change, and which units it would start, stop and restart."""
    Table("Changes", CHANGES, "Nothing changes.").show(change_rows(found["items"]))
    if found["units"] is None:
        ui.label("It is not known which units of this agent start or stop.").classes("muted")
    else:
        Table("Units", UNITS, "No unit starts, stops or restarts.").show(unit_rows(found["units"]))


async def ask_to_save(config: AgentConfig, editor: Editor, *, encrypts: bool, on_saved: Callable[[], None]) -> None:
    """Say what saving will do, and save if that is confirmed."""
    text = editor.text
    try:
        found = await config.difference(text)
    except ApiError as error:
        ui.notify(f"NOT saved: {error}", type="negative")
        return

    async def save() -> None:
        try:
            await config.save(text)
        except ApiError as error:
            dialog.close()
            await _say_why_not(config, editor, error)
            return
        dialog.close()
        editor.text = config.text
        editor.check_again()
        ui.notify(f"Saved as {config.revision}", type="positive")
        on_saved()

    with (
        ui.dialog(value=True).props('aria-label="Save the configuration"') as dialog,
        ui.card().classes("w-full max-w-3xl"),
    ):
        ui.label(f"Save the configuration of {config.agent}").props("role=heading aria-level=2").classes("text-lg")
        show_difference(found)
        ui.label(
            "Secrets are encrypted before they are written, and never shown again."
            if encrypts
            else "The API has no MILLRACE_SECRET_KEY, so secrets are written as plain text. They are never shown again."
        ).classes("muted" if encrypts else "warn")
        with ui.row().classes("w-full justify-end"):
            ui.button("Leave as it is", on_click=dialog.close).props("flat no-caps")
            ui.button("Save now", on_click=save).props("no-caps unelevated")


async def _say_why_not(config: AgentConfig, editor: Editor, error: ApiError) -> None:
    if not isinstance(error, ApiRefused) or error.status != CHANGED_MEANWHILE:
        ui.notify(f"NOT saved: {error}", type="negative", multi_line=True, timeout=0, close_button="OK")
        editor.check_again()
        return
    mine, before = editor.text, config.text
    try:
        meanwhile = reversed_changes((await config.difference(before))["items"]) if before else []
        await config.load()
    except ApiError as again:
        ui.notify(f"NOT saved: {again}", type="negative")
        return

    def take_theirs() -> None:
        editor.text = config.text
        dialog.close()

    def keep_mine() -> None:
        editor.text = mine
        editor.check_again()
        dialog.close()

    with (
        ui.dialog(value=True).props('persistent aria-label="The configuration has changed"') as dialog,
        ui.card().classes("w-full max-w-3xl"),
    ):
        ui.label("NOT saved: somebody changed it meanwhile").props("role=heading aria-level=2").classes("text-lg bad")
        Table("Changed meanwhile", CHANGES, "The text changed, but no value did.").show(change_rows(meanwhile))
        ui.label("Your text is still in the editor. Saving it now would undo these changes, unless you repeat them.")
        with ui.row().classes("w-full justify-end"):
            ui.button("Show theirs, drop mine", on_click=take_theirs).props("flat no-caps")
            ui.button("Keep my text", on_click=keep_mine).props("no-caps unelevated")
