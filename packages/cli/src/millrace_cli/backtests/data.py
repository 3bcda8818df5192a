"""`millrace data`: what recordings hold, whether they are whole; recordings made of something else."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import typer

from millrace_cli.backtests.making import Paths, add_making_commands
from millrace_cli.options import AsJson
from millrace_cli.running import plain_errors

if TYPE_CHECKING:
    from millrace_backtest.recording.summary import Checked


def add_commands(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    data = typer.Typer(no_args_is_help=True, help="Show, check and make recordings.")
    app.add_typer(data, name="data")
    add_making_commands(data)

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
    wide = max((len(name) for name in found.streams), default=0)
    typer.echo(f"{'stream':{wide}} {'messages':>10} {'from (UTC)':19} {'to (UTC)':19} missing")
    for name, stream in sorted(found.streams.items()):
        missing = f"{stream.missing:,} in {stream.gaps} gaps" if stream.gaps else "0"
        times = f"{_utc(stream.first_ns)} {_utc(stream.last_ns)}"
        typer.echo(f"{name:{wide}} {stream.messages:10,} {times} {missing}")
    for problem in found.problems:
        typer.echo(problem)


def _utc(at_ns: int) -> str:
    return f"{datetime.fromtimestamp(at_ns / 1e9, UTC):%Y-%m-%d %H:%M:%S}"
