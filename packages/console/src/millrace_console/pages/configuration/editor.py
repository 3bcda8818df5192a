"""The editor: a text with every mistake marked at its place, and completion by the agent's schema."""

import json
from collections.abc import Callable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
from nicegui import ui
from nicegui.events import GenericEventArguments

from millrace_console.api import ApiError
from millrace_console.pages.configuration.agent_config import AgentConfig, as_text
from millrace_console.pages.configuration.completion import completion
from millrace_console.pages.configuration.json_places import Mistake, line_of, mistakes, own_mistakes

SCRIPT = (Path(__file__).parent / "editor.js").read_text()
CHECK_S = 0.4
"""How often a text that was changed is checked."""


class Editor:
    """Edits one configuration, checks it while it is typed, and keeps what is unsaved over a reload of the page."""

    def __init__(self, config: AgentConfig, schema: Mapping[str, Any], on_checked: Callable[[], None]) -> None:
        self._config, self._schema, self._on_checked = config, schema, on_checked
        self._checked: str | None = None
        self._has_begun = False
        """Whether an earlier draft was looked for, so that it may be replaced."""
        self.mistakes: list[Mistake] = []
        """Of the text as it was checked last."""
        self.trouble = ""
        """Why the text could not be checked."""
        self._code = ui.codemirror(
            config.text or _empty(config.agent), language="JSON", theme="vscodeLight", indent="  "
        )
        # Invisible until it has its name and the page's theme.
        self._code.classes("config-editor invisible").set_enabled(config.may_change)
        self._code.on("complete", self._complete)
        # What is typed must not reach the page's keys: `g` and a letter would leave the page.
        self._code.on("keydown.stop", js_handler="() => {}")
        ui.timer(CHECK_S, self._check)
        ui.timer(0.1, self._begin, once=True)

    @property
    def text(self) -> str:
        """The text as it is now."""
        return self._code.value or ""

    @text.setter
    def text(self, text: str) -> None:
        self._code.value = text

    @property
    def is_checked(self) -> bool:
        """Tell whether `mistakes` are those of the text as it is now."""
        return self._checked == self.text and not self.trouble

    @property
    def is_changed(self) -> bool:
        """Tell whether there is something to save."""
        return self.text != self._config.text

    def reveal(self, mistake: Mistake) -> None:
        """Scroll to a mistake."""
        self._code.reveal_line(line_of(self.text, mistake.span.start))

    def check_again(self) -> None:
        """Check the text even if it has not changed."""
        self._checked = None

    async def _begin(self) -> None:
        """Set up the browser's side, and take up what was typed before the page was loaded again."""
        label = json.dumps(f"Configuration of {self._config.agent} as JSON")
        script = f"await millrace_editor({self._code.id}, {label}); return sessionStorage.getItem({self._draft})"
        try:
            draft = await ui.run_javascript(script, timeout=10.0)
        except TimeoutError:
            draft = None
        self._code.classes(remove="invisible")
        self._has_begun = True
        if draft and self._config.may_change and not self.is_changed:
            self.text = str(draft)

    async def _check(self) -> None:
        text = self.text
        if text == self._checked and not self.trouble:
            return
        found = own_mistakes(text)
        try:
            if not found:
                found = mistakes(text, await self._config.problems(text))
            self.trouble = ""
        except ApiError as error:
            self.trouble = str(error)
        if text != self.text:
            return  # it was changed meanwhile; the next check is of the newer text
        self._checked, self.mistakes = text, found
        self._mark()
        self._keep_draft()
        self._on_checked()

    def _mark(self) -> None:
        text = self.text
        marks: list[dict[str, Any]] = [
            {"kind": "mark", "from": each.span.start, "to": each.span.end, "class": "mistake"}
            for each in self.mistakes
            if each.span.end > each.span.start
        ]
        by_line = groupby(self.mistakes, key=lambda each: line_of(text, each.span.start))
        for _, several in by_line:
            found = list(several)
            end = text.find("\n", found[0].span.start)
            message = "; ".join(each.message for each in found)
            position = end if end >= 0 else len(text)
            marks.append({"kind": "widget", "position": position, "text": f"  ✖ {message}", "class": "mistake-text"})
        # Not by the property: with it the whole element would be sent, and undo what was typed meanwhile.
        self._code.run_method("setDecorations", marks)

    def _keep_draft(self) -> None:
        if not self._has_begun:
            return
        if self.is_changed:
            ui.run_javascript(f"sessionStorage.setItem({self._draft}, {json.dumps(self.text)})")
        else:
            ui.run_javascript(f"sessionStorage.removeItem({self._draft})")

    @property
    def _draft(self) -> str:
        """The key of what is unsaved, as JavaScript; it lasts as long as the browser's tab."""
        return json.dumps(f"millrace.draft.{self._config.account.tenant}.{self._config.agent}")

    def _complete(self, event: GenericEventArguments) -> None:
        found = completion(str(event.args["before"]), self._schema, self._config.plugins)
        options = msgspec.json.encode(found.options).decode()
        ui.run_javascript(f"millrace_completion({int(event.args['number'])}, {found.back}, {options})")


def _empty(agent: str) -> str:
    """Return the text with which a new configuration begins."""
    return as_text({"agent": {"id": agent, "status": "started"}})
