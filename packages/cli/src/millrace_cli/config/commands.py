"""The commands `millrace config …`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from millrace_cli.options import DEFAULT_DIR, AgentArgument, AsJson, DatabaseDir, DatabaseUrl, RedisUrl, url_of
from millrace_cli.running import run_short
from millrace_service.settings import DEFAULT_REDIS_URL

File = Annotated[Path, typer.Argument(help="JSON file; - for standard input.", allow_dash=True)]
Kind = Annotated[
    str | None,
    typer.Option(help="The agent's kind: gatherer, magicbox, executor, …; needed for one that has never run."),
]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    # The API's code takes a second to import, so each command imports it when it is called.
    config = typer.Typer(no_args_is_help=True, help="Read, check, compare and change agents' configurations.")
    app.add_typer(config, name="config")
    for add in (_add_get, _add_put, _add_validate, _add_diff, _add_history, _add_rollback):
        add(config)


def _add_get(app: typer.Typer) -> None:
    @app.command("get")
    def get_command(agent: AgentArgument, redis_url: RedisUrl = DEFAULT_REDIS_URL, as_json: AsJson = False) -> None:
        """Print the configuration in force; its secrets read ***, and `put` keeps what still reads so.

        Example: millrace config get GATHERER > gatherer.json
        """
        from millrace_cli.config import verbs

        found = run_short(verbs.get(redis_url, agent), as_json=as_json)
        shown = found if as_json else found["config"]
        # A text with mistakes in its form is printed as it is, to be mended.
        typer.echo(shown if isinstance(shown, str) else json.dumps(shown, indent=2, ensure_ascii=False))


def _add_put(app: typer.Typer) -> None:
    @app.command("put")
    def put_command(
        agent: AgentArgument,
        file: File,
        kind: Kind = None,
        if_revision: Annotated[
            str | None, typer.Option(help="Change nothing unless this revision is in force.")
        ] = None,
        redis_url: RedisUrl = DEFAULT_REDIS_URL,
        database_url: DatabaseUrl = None,
        data_dir: DatabaseDir = DEFAULT_DIR,
        as_json: AsJson = False,
    ) -> None:
        """Put a configuration in force; the agent restarts only what it changes. With mistakes nothing is written.

        Example: millrace config put GATHERER examples/gatherer.json
        """
        from millrace_cli.config import verbs

        stores = verbs.Stores(redis_url, url_of(database_url, data_dir))
        found = run_short(verbs.put_file(stores, agent, file, kind, if_revision), as_json=as_json)
        lines = (*found["changes"], f"{agent}: revision {found['revision']} is in force")
        typer.echo(json.dumps(found) if as_json else "\n".join(lines))


def _add_validate(app: typer.Typer) -> None:
    @app.command("validate")
    def validate_command(
        agent: AgentArgument,
        file: File,
        kind: Kind = None,
        redis_url: RedisUrl = DEFAULT_REDIS_URL,
        database_url: DatabaseUrl = None,
        data_dir: DatabaseDir = DEFAULT_DIR,
        as_json: AsJson = False,
    ) -> None:
        """Check a configuration as `put` does, and write nothing; with mistakes the exit code is 1.

        Example: millrace config validate GATHERER gatherer.json
        """
        from millrace_cli.config import verbs

        stores = verbs.Stores(redis_url, url_of(database_url, data_dir))
        run_short(verbs.validate(stores, agent, file, kind), as_json=as_json)
        typer.echo(json.dumps({"valid": True}) if as_json else f"{agent}: no mistakes")


def _add_diff(app: typer.Typer) -> None:
    @app.command("diff")
    def diff_command(
        agent: AgentArgument,
        file: File,
        kind: Kind = None,
        redis_url: RedisUrl = DEFAULT_REDIS_URL,
        database_url: DatabaseUrl = None,
        data_dir: DatabaseDir = DEFAULT_DIR,
        as_json: AsJson = False,
    ) -> None:
        """Print what a configuration would change (+ added, - removed, ~ changed), and which units would restart.

        Example: millrace config diff GATHERER gatherer.json
        """
        from millrace_cli.config import verbs

        stores = verbs.Stores(redis_url, url_of(database_url, data_dir))
        found = run_short(verbs.diff(stores, agent, file, kind), as_json=as_json)
        typer.echo(json.dumps(found["difference"]) if as_json else "\n".join(found["lines"]))


def _add_history(app: typer.Typer) -> None:
    @app.command("history")
    def history_command(
        agent: AgentArgument,
        limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many at most.")] = 20,
        redis_url: RedisUrl = DEFAULT_REDIS_URL,
        database_url: DatabaseUrl = None,
        data_dir: DatabaseDir = DEFAULT_DIR,
        as_json: AsJson = False,
    ) -> None:
        """List the configurations that an agent had, newest first.

        Example: millrace config history GATHERER
        """
        from millrace_cli.config import verbs

        stores = verbs.Stores(redis_url, url_of(database_url, data_dir))
        found = run_short(verbs.history(stores, agent, limit), as_json=as_json)
        lines = [verbs.history_line(each) for each in found] or [f"no configuration of {agent} is stored"]
        typer.echo(json.dumps(found) if as_json else "\n".join(lines))


def _add_rollback(app: typer.Typer) -> None:
    @app.command("rollback")
    def rollback_command(
        agent: AgentArgument,
        revision: Annotated[str, typer.Argument(help="The revision to put in force again, as `history` lists it.")],
        kind: Kind = None,
        redis_url: RedisUrl = DEFAULT_REDIS_URL,
        database_url: DatabaseUrl = None,
        data_dir: DatabaseDir = DEFAULT_DIR,
        as_json: AsJson = False,
    ) -> None:
        """Put an earlier configuration in force again, with its secrets.

        Example: millrace config rollback GATHERER e4d549513f75
        """
        from millrace_cli.config import verbs

        stores = verbs.Stores(redis_url, url_of(database_url, data_dir))
        found = run_short(verbs.roll_back(stores, agent, revision, kind), as_json=as_json)
        lines = (*found["changes"], f"{agent}: revision {found['revision']} is in force")
        typer.echo(json.dumps(found) if as_json else "\n".join(lines))
