"""`millrace data list|check`: what recordings hold, and whether they are whole."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from millrace_cli.options import AsJson
from millrace_cli.running import plain_errors

if TYPE_CHECKING:
    from millrace_backtest.recording.summary import Checked

Paths = Annotated[list[Path], typer.Argument(exists=True, help="Recordings, or folders of them.")]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    data = typer.Typer(no_args_is_help=True, help="Show what recordings hold, and check them.")
    app.add_typer(data, name="data")

    @data.command("list")
    def list_command(paths: Paths, as_json: AsJson = False) -> None:
        """List the streams of recordings: messages, time, and what is missing.

        Example: millrace data list recordings
        """
        found = _checked(paths, as_json=as_json)
        if as_json:
            typer.echo(json.dumps(msgspec.to_builtins(found)))
        else:
            _print(found)

    @data.command("check")
    def check_command(paths: Paths, as_json: AsJson = False) -> None:
        """Prove that recordings are whole: by the ids of all messages and the checksums of books.

        The exit code is 1 if anything is missing or wrong.

        Example: millrace data check recordings
        """
        found = _checked(paths, as_json=as_json)
        if as_json:
            typer.echo(json.dumps({"whole": found.is_whole, "problems": found.problems}))
        else:
            total = sum(stream.messages for stream in found.streams.values())
            typer.echo("\n".join(found.problems) or f"whole: {total:,} messages of {len(found.streams)} journals")
        if not found.is_whole:
            raise typer.Exit(1)


def _checked(paths: list[Path], *, as_json: bool) -> "Checked":
    from millrace_backtest.recording.files import recordings
    from millrace_backtest.recording.summary import check

    with plain_errors(as_json=as_json):
        return check(recordings(paths))


def _print(found: "Checked") -> None:
    table = Table("stream", "messages", "from (UTC)", "to (UTC)", "missing", box=None)
    for name, stream in sorted(found.streams.items()):
        missing = f"{stream.missing:,} in {stream.gaps} gaps" if stream.gaps else ""
        table.add_row(name, f"{stream.messages:,}", _utc(stream.first_ns), _utc(stream.last_ns), missing)
    Console().print(table)
    for problem in found.problems:
        typer.echo(problem)


def _utc(at_ns: int) -> str:
    return f"{datetime.fromtimestamp(at_ns / 1e9, UTC):%Y-%m-%d %H:%M:%S}"
