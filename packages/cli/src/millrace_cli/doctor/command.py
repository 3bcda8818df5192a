"""The command `millrace doctor`."""

import json
import os
from typing import Annotated, Final

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from millrace_cli.doctor.finding import Finding, Level
from millrace_cli.options import DEFAULT_DIR, AsJson, DatabaseDir, DatabaseUrl, RedisUrl, url_of
from millrace_cli.running import run_short
from millrace_service.settings import DEFAULT_REDIS_URL

_COLOURS: Final[dict[Level, str]] = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def add_command(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command("doctor")
    def doctor_command(
        exchanges: Annotated[
            bool, typer.Option("--exchanges/--no-exchanges", help="Ask each configured exchange for its time.")
        ] = True,
        redis_url: RedisUrl = DEFAULT_REDIS_URL,
        database_url: DatabaseUrl = None,
        data_dir: DatabaseDir = DEFAULT_DIR,
        as_json: AsJson = False,
    ) -> None:
        """Check Redis, database, keys, agents, clocks and exchanges, and print how to mend what is wrong.

        Nothing is changed. The exit code is 1 if anything fails, 0 if there are warnings at most.

        Example: millrace doctor
        """
        # The database's and the exchanges' code takes seconds to import, which other commands need not wait for.
        from millrace_cli.doctor.examination import examine

        url = url_of(database_url, data_dir)
        found = run_short(examine(redis_url, url, os.environ, exchanges=exchanges), as_json=as_json)
        if as_json:
            typer.echo(json.dumps(msgspec.to_builtins(found)))
        else:
            _print(found)
        if any(finding.level == "fail" for finding in found):
            raise typer.Exit(1)


def _print(findings: list[Finding]) -> None:
    console = Console()
    for finding in findings:
        line = Text.assemble((f"{finding.level:<5}", _COLOURS[finding.level]), f"{finding.subject}: {finding.text}")
        console.print(line, soft_wrap=True)
        if finding.mend is not None:
            console.print(Text(f"     mend: {finding.mend}"), soft_wrap=True)
