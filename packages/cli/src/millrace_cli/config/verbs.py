"""What `millrace config …` does; every function returns what is printed."""

from pathlib import Path
from typing import Any

import msgspec

from millrace_api.configs.diff import changes
from millrace_api.configs.editor import ConfigEditor
from millrace_api.configs.examined import ConfigDifference, Sent, written
from millrace_api.configs.masking import masked
from millrace_cli.config.documents import change_lines, moment, read_document, unit_lines
from millrace_cli.config.editing import OPERATOR, Stores, editor, present, put, services
from millrace_cli.database import existing
from millrace_cli.running import CommandFailed, connected
from millrace_core.config import revision
from millrace_core.json_problems import UNREADABLE
from millrace_core.names import AgentId

__all__ = ["Stores", "diff", "get", "history", "history_line", "put_file", "roll_back", "validate"]


async def get(redis_url: str, agent: AgentId) -> dict[str, Any]:
    """Return the configuration in force, secrets masked.

    Raises:
        CommandFailed: there is none, or it is not JSON.
    """
    async with connected(redis_url, "config") as bus:
        text = await present(bus, agent)
    return {"agentId": agent, "revision": revision(text), "config": masked(_decoded(agent, text))}


async def put_file(
    stores: Stores, agent: AgentId, file: Path, kind: str | None, expected: str | None
) -> dict[str, Any]:
    """Put a file's configuration in force; return its revision and what it changed."""
    new = Sent(written(read_document(file)))
    async with services(stores) as opened:
        before = await opened.bus.get_config(agent)
        view = await put(opened, agent, new, kind=kind, expected=expected)
        after = await present(opened.bus, agent)
    return {"agentId": agent, "revision": view.revision, "changes": _lines(before, after)}


async def validate(stores: Stores, agent: AgentId, file: Path, kind: str | None) -> None:
    """Check a file's configuration.

    Raises:
        CommandFailed: it has mistakes; each is listed.
    """
    new = Sent(written(read_document(file)))
    async with services(_existing(stores)) as opened:
        await (await editor(opened, agent, kind)).checked(new, kind)


async def diff(stores: Stores, agent: AgentId, file: Path, kind: str | None) -> dict[str, Any]:
    """Return what a file's configuration would change, and which units it would start, stop and restart."""
    new = Sent(written(read_document(file)))
    async with services(_existing(stores)) as opened:
        found = await ConfigEditor(opened, OPERATOR, agent).difference(new, kind)
    difference = msgspec.json.decode(found, type=ConfigDifference)
    lines = [*change_lines(difference.items), *unit_lines(difference.units)]
    return {"difference": msgspec.to_builtins(difference), "lines": lines}


async def history(stores: Stores, agent: AgentId, limit: int) -> list[dict[str, Any]]:
    """Return the newest stored configurations of an agent, secrets masked, and which one is in force."""
    async with services(_existing(stores)) as opened:
        text = await opened.bus.get_config(agent)
        in_force = None if text is None else revision(text)
        found = await ConfigEditor(opened, OPERATOR, agent).shown_versions(limit)
    shown = msgspec.json.decode(msgspec.json.encode(found), type=list[dict[str, Any]])
    return [version | {"inForce": version["revision"] == in_force} for version in shown]


def history_line(version: dict[str, Any]) -> str:
    """Return a version of the history as one line."""
    mark = "  ← in force" if version["inForce"] else ""
    return f"{version['revision']}  {moment(version['atMs'])}  {version['author'] or 'written to Redis directly'}{mark}"


async def roll_back(stores: Stores, agent: AgentId, wanted: str, kind: str | None) -> dict[str, Any]:
    """Put an earlier configuration in force again; return its revision and what that changed."""
    async with services(_existing(stores)) as opened:
        earlier = await ConfigEditor(opened, OPERATOR, agent).version(wanted)
        before = await opened.bus.get_config(agent)
        view = await put(opened, agent, Sent(earlier.text.encode(), is_exact=True), kind=kind)
        after = await present(opened.bus, agent)
    return {"agentId": agent, "revision": view.revision, "changes": _lines(before, after)}


def _existing(stores: Stores) -> Stores:
    return stores._replace(database_url=existing(stores.database_url))


def _lines(before: bytes | None, after: bytes) -> list[str]:
    return change_lines(changes({} if before is None else _or_none(before), _or_none(after)))


def _decoded(agent: AgentId, text: bytes) -> Any:
    if (config := _or_none(text)) is None:
        raise CommandFailed(f"the configuration of {agent} is not JSON; replace it: millrace config put {agent} FILE")
    return config


def _or_none(text: bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except UNREADABLE:
        return None
