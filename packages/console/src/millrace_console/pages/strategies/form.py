"""A strategy's settings as a form."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nicegui import ui

from millrace_console.api import ApiError
from millrace_console.pages.configuration.agent_config import AgentConfig, as_text
from millrace_console.pages.strategies.fields import Field, fields_of, parsed, shown
from millrace_console.pages.strategies.plugins import PlannedStrategy, with_parameters
from millrace_console.pages.strategies.saving import ask_to_save, say_refused


class ParametersForm:
    """Fields with their mistakes, and a button that saves."""

    def __init__(self, config: AgentConfig, strategy: PlannedStrategy, on_saved: Callable[[], None]) -> None:
        self._config, self._strategy, self._on_saved = config, strategy, on_saved
        self._fields = fields_of(config.plugins.get(strategy.plugin, {}), strategy.parameters)
        self._inputs: dict[str, Any] = {}
        if strategy.plugin not in config.plugins:
            ui.label(f"The schema of {strategy.plugin} is not known while {config.agent} does not run it.").classes(
                "warn"
            )
        with ui.element("div").classes("parameters"):
            for field in self._fields:
                self._inputs[field.name] = self._input(field, shown(field, strategy.parameters.get(field.name)))
        self._mistakes = ui.label().classes("bad").props('role="alert"')
        self._mistakes.visible = False
        if config.may_change:
            with ui.row():
                ui.button("Save …", icon="save", on_click=self._save).props("no-caps unelevated")
        else:
            ui.label("Your tokens may see these parameters, and not change them.").classes("muted")

    def _input(self, field: Field, value: str) -> Any:
        label = f"{field.name} *" if field.is_required else field.name
        if field.options:
            options = {"": "(default)"} | {each: each for each in (*field.options, *filter(None, [value]))}
            made: Any = ui.select(options, value=value, label=label)
        else:
            made = ui.input(label, value=value)
        made.props("outlined dense bottom-slots").props["hint"] = field.hint
        made.set_enabled(self._config.may_change)
        return made

    async def _save(self) -> None:
        parameters = self._read()
        if parameters is None:
            return
        new = with_parameters(json.loads(self._config.text), self._strategy.unit, parameters)
        try:
            problems = await self._config.problems(as_text(new))
        except ApiError as error:
            say_refused(error)
            return
        self._mark(problems)
        if not problems:
            title = f"Save the parameters of {self._strategy.unit}"
            await ask_to_save(self._config, new, title, "Save now", self._on_saved)

    def _read(self) -> dict[str, Any] | None:
        """Return the settings of the form; None, with each mistake marked, if there is one."""
        found: dict[str, Any] = {}
        is_right = True
        for field in self._fields:
            control = self._inputs[field.name]
            try:
                value = parsed(field, control.value or "")
            except ValueError as error:
                _mark(control, str(error))
                is_right = False
                continue
            _mark(control, "")
            if value is not None:
                found[field.name] = value
        return found if is_right else None

    def _mark(self, problems: Sequence[Mapping[str, str]]) -> None:
        """Show the API's mistakes at their fields, and the others below."""
        others = []
        for each in problems:
            name = each["path"].removeprefix(f"{self._strategy.path}.")
            if name in self._inputs:
                _mark(self._inputs[name], each["message"])
            else:
                others.append(f"✖ {each['path']}: {each['message']}")
        self._mistakes.text = "; ".join(others)
        self._mistakes.visible = bool(others)


def _mark(control: Any, message: str) -> None:
    control.props["error"] = bool(message)
    control.props["error-message"] = f"✖ {message}" if message else ""
    control.update()
