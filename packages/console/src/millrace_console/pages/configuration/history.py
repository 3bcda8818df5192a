"""Earlier configurations of an agent: who wrote them, what differs, and the way back."""

from collections.abc import Callable
from typing import Any

from nicegui import ui

from millrace_console.api import ApiError
from millrace_console.display.text import date_and_time
from millrace_console.pages.configuration.agent_config import AgentConfig, as_text
from millrace_console.pages.configuration.saving import show_difference


async def show_history(config: AgentConfig, on_restored: Callable[[], None], on_edit: Callable[[str], None]) -> None:
    """Show the configurations that the agent had, newest first."""
    try:
        versions = await config.history()
    except ApiError as error:
        ui.notify(f"The history cannot be read: {error}", type="negative")
        return
    with ui.dialog(value=True).props('aria-label="A revision"') as dialog, ui.card().classes("w-full max-w-3xl"):
        ui.label(f"History of {config.agent}").props("role=heading aria-level=2").classes("text-lg")
        if not versions:
            ui.label("Nothing is stored yet.").classes("muted")
        for version in versions:
            _version(config, version, dialog, on_restored, on_edit)
        with ui.row().classes("w-full justify-end"):
            ui.button("Close", on_click=dialog.close).props("flat no-caps")


def _version(
    config: AgentConfig,
    version: dict[str, Any],
    dialog: ui.dialog,
    on_restored: Callable[[], None],
    on_edit: Callable[[str], None],
) -> None:
    revision, is_present = version["revision"], version["revision"] == config.revision
    author = version["author"] or "written to Redis directly"
    title = f"{date_and_time(version['atMs'])} UTC  {revision}  {author}{'  (in force)' if is_present else ''}"

    def edit() -> None:
        on_edit(as_text(version["config"]))
        dialog.close()

    async def restore() -> None:
        try:
            await config.roll_back(revision)
        except ApiError as error:
            ui.notify(f"NOT rolled back: {error}", type="negative", multi_line=True, timeout=0, close_button="OK")
            return
        dialog.close()
        ui.notify(f"Rolled back to {revision}", type="positive")
        on_restored()

    with ui.expansion(title).classes("w-full").props("dense") as opened:
        place = ui.element("div").classes("w-full")

    async def show() -> None:
        if not opened.value or list(place):
            return
        try:
            found = await config.difference(as_text(version["config"]))
        except ApiError as error:
            found = None
            ui.notify(f"The difference cannot be read: {error}", type="negative")
        with place:
            if found is not None:
                ui.label("Going back to it would change:").classes("muted")
                show_difference(found)
            with ui.row():
                ui.button("Open in the editor", on_click=edit).props("flat no-caps dense")
                if config.may_change and not is_present:
                    ui.button(f"Roll back to {revision} now", on_click=restore).props("no-caps unelevated dense")

    opened.on_value_change(show)
