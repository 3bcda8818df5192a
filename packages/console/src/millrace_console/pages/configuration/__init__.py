"""Configuration: each agent's JSON, checked while it is typed, saved with a word on what will change."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from nicegui import ui

from millrace_console.accounts import Account
from millrace_console.display.section import section
from millrace_console.loading import when_loaded
from millrace_console.pages.configuration.agent_config import AgentConfig, known_configs
from millrace_console.pages.configuration.editor import SCRIPT
from millrace_console.pages.configuration.workbench import Workbench
from millrace_console.visit import Visit


class _Loaded(NamedTuple):
    configs: dict[str, tuple[Account, dict[str, Any]]]
    kinds: dict[str, Mapping[str, Any]]
    encrypts: bool
    opened: AgentConfig | None


async def show(visit: Visit) -> None:
    """Build the page."""
    ui.add_head_html(f"<script>{SCRIPT}</script>")
    when_loaded(lambda: _load(visit), lambda loaded: _build(visit, loaded))


async def _load(visit: Visit) -> _Loaded:
    configs = await known_configs(visit, visit.api)
    about = await visit.api.get(visit.accounts[0], "/configs/kinds")
    kinds = {each["kind"]: each for each in about["items"]}
    opened = _config(visit, configs)
    if opened is not None:
        await opened.load()
    return _Loaded(configs, kinds, about["encrypts"], opened)


def _config(visit: Visit, configs: Mapping[str, tuple[Account, dict[str, Any]]]) -> AgentConfig | None:
    """Return the configuration that the address names: a known one, or a new one of a kind; else the first."""
    agent, kind = visit.place.get("agent"), visit.place.get("kind")
    if not agent and configs:
        agent = next(iter(configs))
    if agent in configs:
        account, summary = configs[agent]
        return AgentConfig(visit.api, account, agent, summary["kind"] or kind, may_change=summary["mayChange"])
    admins = [each for each in visit.accounts if each.may("admin")]
    if not agent:
        return None
    return AgentConfig(visit.api, (admins or visit.accounts)[0], agent, kind or None, may_change=bool(admins))


def _build(visit: Visit, loaded: _Loaded) -> None:
    opened = loaded.opened
    with section("Agent"), ui.row().classes("w-full items-center gap-2"):
        names = list(loaded.configs)
        if opened is not None and opened.agent not in names:
            names.append(opened.agent)
        if names:
            chosen = ui.select(names, value=opened.agent if opened else None, label="Agent")
            chosen.props("dense outlined options-dense").classes("min-w-40")
            chosen.on_value_change(lambda event: _open(visit, event.value))
        ui.button("New agent …", icon="add", on_click=lambda: _ask_for_new(visit, list(loaded.kinds))).props(
            "flat no-caps"
        )
    if opened is None:
        ui.label("There is no configuration that your tokens may see.").classes("muted")
    elif (kind := loaded.kinds.get(opened.kind or "")) is None:
        _ask_for_kind(visit, opened.agent, list(loaded.kinds))
    else:
        Workbench(visit, opened, kind, encrypts=loaded.encrypts)


def _open(visit: Visit, agent: str, kind: str = "") -> None:
    visit.place.go(agent=agent, kind=kind)


def _ask_for_kind(visit: Visit, agent: str, kinds: list[str]) -> None:
    """An agent that has never run does not say what it is."""
    with section(f"{agent} has never run"):
        chosen = ui.select(kinds, label="Its kind").classes("min-w-40")
        chosen.on_value_change(lambda event: _open(visit, agent, event.value))


def _ask_for_new(visit: Visit, kinds: list[str]) -> None:
    with ui.dialog(value=True).props('aria-label="A new agent"') as dialog, ui.card().classes("w-full max-w-lg"):
        ui.label("New agent").props("role=heading aria-level=2").classes("text-lg")
        name = ui.input(
            "Agent id", placeholder="such as GATHERER2", validation={"letters, digits, _ and - only": _is_id}
        )
        kind = ui.select(kinds, value=kinds[0], label="Kind")
        for each in (name, kind):
            each.classes("w-full")
        ui.label("Its configuration is written first; start its process with this id whenever you like.").classes(
            "muted"
        )

        def go() -> None:
            if name.validate():
                _open(visit, name.value, kind.value)

        with ui.row().classes("w-full justify-end"):
            ui.button("Close", on_click=dialog.close).props("flat no-caps")
            ui.button("Open an empty configuration", on_click=go).props("no-caps unelevated")


def _is_id(text: str) -> bool:
    return 0 < len(text) <= 64 and text.isascii() and text.replace("_", "").replace("-", "").isalnum()
