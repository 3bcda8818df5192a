"""Changes of several configurations for one purpose: worked out, shown, and then written one after the other."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from nicegui import ui

from millrace_console.accounts import Account
from millrace_console.api import Api, ApiError
from millrace_console.pages.configuration.agent_config import AgentConfig, as_text
from millrace_console.pages.configuration.saving import show_difference
from millrace_core.errors import MillraceError


class Edit(NamedTuple):
    """A configuration to write, and what the API says of it."""

    config: AgentConfig
    text: str
    difference: dict[str, Any]
    problems: Sequence[Mapping[str, str]]


class PartlyWritten(MillraceError):
    """A configuration could not be written; those before it are in force."""

    def __init__(self, written: Iterable[str], failed: str, error: ApiError) -> None:
        done = ", ".join(written) or "none"
        super().__init__(f"{failed} was NOT written: {error}. Written before it: {done}.")


async def edit_of(api: Api, operator: Account, agent: str, kind: str, change: Callable[[dict[str, Any]], Any]) -> Edit:
    """Return the edit that a change makes of an agent's configuration; an agent without one gets its first.

    Raises:
        ApiError: the API does not answer.
    """
    config = AgentConfig(api, operator, agent, kind, may_change=True)
    await config.load()
    text = as_text(change(json.loads(config.text) if config.text else {"agent": {"id": agent}}))
    return Edit(config, text, await config.difference(text), await config.problems(text))


def show_edits(edits: Iterable[Edit]) -> bool:
    """Show what will be written; tell whether all of it is right."""
    is_right = True
    for edit in edits:
        ui.label(edit.config.agent).props("role=heading aria-level=3").classes("text-bold")
        show_difference(edit.difference)
        for each in edit.problems:
            is_right = False
            ui.label(f"✖ {each['path']} {each['message']}").classes("bad")
    return is_right


async def write(edits: Iterable[Edit]) -> None:
    """Write all of them.

    Raises:
        PartlyWritten: one was not written, nor those after it.
    """
    written: list[str] = []
    for edit in edits:
        try:
            await edit.config.save(edit.text)
        except ApiError as error:
            raise PartlyWritten(written, edit.config.agent, error) from error
        written.append(edit.config.agent)
