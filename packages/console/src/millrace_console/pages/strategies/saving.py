"""Saving a changed configuration of a magicbox: what changes and restarts is said before it happens."""

from collections.abc import Callable, Mapping
from typing import Any

from nicegui import ui

from millrace_console.api import ApiError
from millrace_console.pages.configuration.agent_config import AgentConfig, as_text
from millrace_console.pages.configuration.saving import show_difference


async def ask_to_save(
    config: AgentConfig, new: Mapping[str, Any], title: str, verb: str, on_saved: Callable[[], None]
) -> None:
    """Show what a new configuration would change, and save it if that is confirmed."""
    text = as_text(new)
    try:
        found = await config.difference(text)
    except ApiError as error:
        say_refused(error)
        return

    async def save() -> None:
        try:
            await config.save(text)
        except ApiError as error:
            say_refused(error)
        else:
            ui.notify(f"Saved as {config.revision}; {config.agent} follows within moments", type="positive")
            dialog.close()
            on_saved()

    with (
        ui.dialog(value=True).props('aria-label="Save the parameters"') as dialog,
        ui.card().classes("w-full max-w-3xl"),
    ):
        ui.label(title).props("role=heading aria-level=2").classes("text-lg")
        show_difference(found)
        with ui.row().classes("w-full justify-end"):
            ui.button("Leave as it is", on_click=dialog.close).props("flat no-caps")
            ui.button(verb, on_click=save).props("no-caps unelevated")


def say_refused(error: ApiError) -> None:
    """Show why something was not done, until it is read."""
    ui.notify(f"NOT done: {error}", type="negative", multi_line=True, timeout=0, close_button="OK")
