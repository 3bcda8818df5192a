"""Works out the changes that several configurations need for one purpose, checks all of them, and only then writes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from millrace_api.configs.diff import changes
from millrace_api.configs.examined import Sent, written
from millrace_api.configs.models import MODELS, mistakes
from millrace_api.problems import ApiError
from millrace_api.services import Services
from millrace_cli.config.documents import change_lines
from millrace_cli.config.editing import editor, put
from millrace_cli.running import CommandFailed
from millrace_core.config import revision
from millrace_core.errors import Problem
from millrace_core.json_problems import UNREADABLE
from millrace_core.names import AgentId

_ORDER = ("magicbox", "executor", "gatherer", "dbsync")
"""In which tenants are removed: strategies may still cancel their orders, and everything is stored."""


class ConfigEdit(NamedTuple):
    """One configuration to write."""

    agent: AgentId
    kind: str
    before: dict[str, Any] | None
    after: dict[str, Any]
    expected: str | None
    """The revision that it was made from; None if there is no configuration yet."""

    def lines(self) -> list[str]:
        """Return what it changes, secrets masked."""
        found = changes(self.before or {}, self.after)
        return [f"{self.agent}:", *(f"  {line}" for line in change_lines(found))]


async def configuration(opened: Services, agent: AgentId) -> tuple[dict[str, Any] | None, str | None]:
    """Return an agent's configuration and its revision; None and None if there is none.

    Raises:
        CommandFailed: it is no JSON object.
    """
    if (text := await opened.bus.get_config(agent)) is None:
        return None, None
    try:
        return msgspec.json.decode(text, type=dict[str, Any]), revision(text)
    except UNREADABLE as error:
        raise CommandFailed(f"the configuration of {agent} is no JSON object; mend it: millrace config put") from error


async def kind_of(opened: Services, agent: AgentId, config: dict[str, Any]) -> str:
    """Return an agent's kind: what it said itself, else the one whose form the configuration has.

    Raises:
        CommandFailed: it has none.
    """
    for heartbeat in await opened.bus.heartbeats():
        if heartbeat.id == agent and heartbeat.kind in MODELS:
            return heartbeat.kind
    text = msgspec.json.encode(config)
    for kind in MODELS:
        if not mistakes(kind, agent, text):
            return kind
    raise CommandFailed(f"the configuration of {agent} has mistakes: mend it first, with millrace config put {agent}")


async def check(opened: Services, edits: Sequence[ConfigEdit]) -> None:
    """Check every configuration before any is written.

    Raises:
        CommandFailed: some have mistakes; each is listed with its agent.
    """
    problems = [
        Problem(f"{edit.agent} {problem.path}", problem.message)
        for edit in edits
        for problem in await _mistakes(opened, edit)
    ]
    if problems:
        raise CommandFailed("the configurations would have mistakes; nothing was changed", problems)


async def write(opened: Services, edits: Sequence[ConfigEdit]) -> None:
    """Put every configuration in force, strategies' first.

    Raises:
        CommandFailed: one was changed meanwhile; those before it are in force.
    """
    for edit in sorted(edits, key=lambda edit: (*_ORDER, edit.kind).index(edit.kind)):
        if edit.before is None and await opened.bus.get_config(edit.agent) is not None:
            raise CommandFailed(f"somebody wrote a configuration of {edit.agent} meanwhile: run the command again")
        await put(opened, edit.agent, Sent(written(edit.after)), kind=edit.kind, expected=edit.expected)


async def _mistakes(opened: Services, edit: ConfigEdit) -> Sequence[Problem]:
    try:
        await (await editor(opened, edit.agent, edit.kind)).checked(Sent(written(edit.after)), edit.kind)
    except ApiError as error:
        found = [Problem(each.path, each.message) for each in error.details.problems]
        return found or [Problem("$", error.details.detail)]
    return ()
