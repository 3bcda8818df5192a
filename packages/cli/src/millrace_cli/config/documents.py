"""Reads configurations from files, and prints them and their differences."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from millrace_api.configs.diff import ConfigChange
from millrace_api.configs.effects import UnitEffect
from millrace_cli.running import CommandFailed
from millrace_core.json_problems import TOO_DEEP, load_json, silent_mistakes


def read_document(file: Path) -> dict[str, Any]:
    """Return the JSON object in a file; `-` is standard input.

    Raises:
        CommandFailed: it cannot be read, is no JSON object, or has a key twice.
    """
    try:
        text = typer.get_text_stream("stdin").read() if str(file) == "-" else file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandFailed(f"cannot read {file}: {getattr(error, 'strerror', None) or error}") from error
    try:
        value = load_json(text)
    except ValueError as error:
        raise CommandFailed(f"{file} is not JSON: {error}") from error
    except RecursionError as error:
        raise CommandFailed(f"{file} is not a configuration", (TOO_DEEP,)) from error
    if problems := tuple(silent_mistakes(value)):
        raise CommandFailed("the configuration has mistakes; nothing was changed", problems)
    if not isinstance(value, dict):
        raise CommandFailed(f"{file} holds no JSON object, which every configuration is")
    return value


def change_lines(changes: Iterable[ConfigChange]) -> list[str]:
    """Return a line for each change."""
    return [_line(change) for change in changes] or ["no difference"]


def unit_lines(units: Iterable[UnitEffect] | None) -> list[str]:
    """Return a line for each unit that a change starts, stops or restarts; one that says so if that is not known."""
    if units is None:
        return ["what would restart is not known: the agent has never run; add --kind"]
    return [f"{unit.unit} {unit.effect}" for unit in units]


def moment(at_ms: int) -> str:
    """Return a time as people read it, UTC."""
    return f"{datetime.fromtimestamp(at_ms / 1_000, UTC):%Y-%m-%d %H:%M:%S}"


def _line(change: ConfigChange) -> str:
    match change.kind:
        case "added":
            return f"+ {change.path}: {_short(change.after)}"
        case "removed":
            return f"- {change.path}: {_short(change.before)}"
        case _:
            return f"~ {change.path}: {_short(change.before)} → {_short(change.after)}"


def _short(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
