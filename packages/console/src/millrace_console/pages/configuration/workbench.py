"""The editor with what stands around it: mistakes, saving, history, import, export, examples, and what is in force."""

from collections.abc import Mapping
from typing import Any

from nicegui import ui
from nicegui.events import UploadEventArguments

from millrace_console.display.section import section
from millrace_console.display.table import Cell, Column, Row, Table
from millrace_console.pages.configuration.agent_config import AgentConfig, known_configs
from millrace_console.pages.configuration.editor import Editor
from millrace_console.pages.configuration.history import show_history
from millrace_console.pages.configuration.json_places import line_of
from millrace_console.pages.configuration.saving import ask_to_save
from millrace_console.panels import Panel
from millrace_console.polling import Poll
from millrace_console.visit import Visit

LARGEST = 1_000_000
"""Bytes of a file that is imported: what the API takes."""


class Workbench:
    """Edits one configuration."""

    def __init__(self, visit: Visit, config: AgentConfig, kind: Mapping[str, Any], *, encrypts: bool) -> None:
        self._visit, self._config, self._encrypts = visit, config, encrypts
        self._agent_refuses: list[Mapping[str, str]] = []
        with section("In force"):
            columns = [Column("Revision"), Column("State"), Column("Detail")]
            in_force = Table("In force", columns, "This agent has no configuration yet.")
            self._in_force = Panel(visit, self._read_in_force, in_force.show)
        with section(f"{config.agent} ({config.kind})"):
            with ui.row().classes("w-full items-center gap-1") as row:
                row.props('role="toolbar" aria-label="What to do with the text"')
                self._buttons(kind)
            if not config.may_change:
                ui.label("Your tokens may see this configuration, and not change it.").classes("warn")
            self._says = ui.label().classes("w-full").props('role="status"')
            self._list = ui.element("div").classes("w-full")
            self._editor = Editor(config, kind["schema"], self._checked)
            hint = "Ctrl+Space offers what fits; Esc, then Tab leaves the editor; *** stands for a secret and keeps it."
            ui.label(hint).classes("muted")

    def _buttons(self, kind: Mapping[str, Any]) -> None:
        self._save = ui.button("Save …", icon="save", on_click=self._ask_to_save).props("no-caps unelevated dense")
        self._save.set_enabled(False)
        self._drop = ui.button("Discard changes", icon="undo", on_click=self._discard).props("flat no-caps dense")
        self._drop.set_enabled(False)
        ui.button("History", icon="history", on_click=self._history).props("flat no-caps dense")
        if self._config.may_change:
            ui.button("Import …", icon="upload_file", on_click=self._import).props("flat no-caps dense")
            with ui.button("Examples", icon="lightbulb").props("flat no-caps dense"), ui.menu():
                for each in kind["examples"]:
                    ui.menu_item(each["name"], lambda text=each["text"]: self._put(text))
        ui.button("Export", icon="download", on_click=self._export).props("flat no-caps dense")

    def _checked(self) -> None:
        """Show the mistakes that a check found, and whether there is something to save."""
        editor = self._editor
        count = len(editor.mistakes)
        self._save.set_enabled(self._config.may_change and editor.is_changed and not count and not editor.trouble)
        self._drop.set_enabled(editor.is_changed)
        if editor.trouble:
            self._say(f"Not checked: {editor.trouble}", "bad")
        elif count:
            self._say(f"✖ {count} mistake{'' if count == 1 else 's'}; nothing that runs has changed", "bad")
        else:
            self._say("✔ No mistakes; not saved yet" if editor.is_changed else "✔ As saved", "muted")
        self._list.clear()
        with self._list:
            for each in editor.mistakes:
                line = line_of(editor.text, each.span.start)
                text = f"Line {line}: {each.path} {each.message}"
                button = ui.button(text, on_click=lambda each=each: editor.reveal(each))
                button.props("flat no-caps dense align=left").classes("mistake-link w-full")

    def _say(self, text: str, style: str) -> None:
        self._says.text = text
        self._says.classes(replace=f"w-full {style}")

    async def _ask_to_save(self) -> None:
        if self._editor.is_checked and not self._editor.mistakes:
            await ask_to_save(self._config, self._editor, encrypts=self._encrypts, on_saved=self._saved)

    def _saved(self) -> None:
        self._visit.place.set(agent=self._config.agent, kind=None)
        self._in_force.soon()

    def _discard(self) -> None:
        self._put(self._config.text)

    def _put(self, text: str) -> None:
        self._editor.text = text

    async def _history(self) -> None:
        def restored() -> None:
            self._put(self._config.text)
            self._editor.check_again()
            self._in_force.soon()

        await show_history(self._config, restored, self._put)

    def _export(self) -> None:
        ui.download.content(self._editor.text, f"{self._config.agent}.json", "application/json")

    def _import(self) -> None:
        async def take(event: UploadEventArguments) -> None:
            try:
                self._put((await event.file.read()).decode())
            except UnicodeDecodeError:
                ui.notify("The file is not text in UTF-8.", type="negative")
            dialog.close()

        with ui.dialog(value=True).props('aria-label="Import a file"') as dialog, ui.card():
            ui.label("Import a file").props("role=heading aria-level=2").classes("text-lg")
            ui.label("It goes into the editor. Nothing is saved yet.").classes("muted")
            refuse = lambda: ui.notify(f"The file has more than {LARGEST:,} bytes.", type="negative")  # noqa: E731
            ui.upload(
                label="Choose a JSON file", auto_upload=True, max_file_size=LARGEST, on_upload=take, on_rejected=refuse
            ).props("accept=.json,application/json flat bordered")
            ui.button("Close", on_click=dialog.close).props("flat no-caps")

    async def _read_in_force(self, poll: Poll) -> list[Row]:
        config = self._config
        _, summary = (await known_configs(self._visit, poll)).get(config.agent, (None, None))
        agents = await poll.get(config.account, "/agents")
        agent = next((each for each in agents["items"] if each["id"] == config.agent), None)
        return in_force_rows(config.revision, summary, agent)


def in_force_rows(shown: str | None, summary: Mapping[str, Any] | None, agent: Mapping[str, Any] | None) -> list[Row]:
    """Return what is in force: the saved revision, whether the page shows it, and what the agent makes of it."""
    if summary is None:
        return []
    saved = summary["revision"]
    rows: list[Row] = []
    if shown != saved:
        rows.append(
            [saved, Cell("▲ changed meanwhile", "warn"), "somebody saved another one; load the page again to see it"]
        )
    if agent is None:
        return [*rows, [saved, Cell("▲ not running", "warn"), "it applies to the agent's next start"]]
    if agent["configErrors"]:
        refused = Cell("✖ refused by the agent", "bad")
        return [*rows, *([saved, refused, f"{each['path']}: {each['message']}"] for each in agent["configErrors"])]
    if agent["configRevision"] != saved:
        return [
            *rows,
            [saved, Cell("… being applied", "warn"), f"{agent['id']} still follows {agent['configRevision']}"],
        ]
    units = len(agent["units"])
    return [
        *rows,
        [saved, Cell("✔ in force"), f"{agent['id']} is {agent['state']} with {units} unit{'' if units == 1 else 's'}"],
    ]
