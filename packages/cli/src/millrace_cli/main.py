"""The command `millrace`."""

import asyncio
import logging
import os
import sys
from enum import StrEnum
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from millrace_cli import acl, alert, configs, demo, exchanges, first_configs, restart, sign_in, status, up
from millrace_cli.backtests import backtesting, data, recording, replaying, sweeping
from millrace_cli.config.commands import add_commands as add_config_commands
from millrace_cli.dashboard import closing_words
from millrace_cli.doctor import command as doctor
from millrace_cli.platform import DemoOptions
from millrace_cli.running import run
from millrace_cli.scaffold.command import add_commands as add_scaffold_commands
from millrace_cli.secrets.commands import add_commands as add_secrets_commands
from millrace_cli.stored import add_commands
from millrace_cli.tenants.commands import add_commands as add_tenant_commands
from millrace_cli.top import command as top
from millrace_cli.trading import halts, intents, orders, publish

# A command says by itself what is wrong: Python would print the warnings of the libraries beside it.
logging.getLogger("millrace").addHandler(logging.NullHandler())

app = typer.Typer(
    no_args_is_help=True,
    context_settings={"help_option_names": ["--help", "-h"]},
    pretty_exceptions_enable=False,
    help="millrace: a trading platform over Redis. Commands use Redis and the database directly and need no token.",
)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"millrace {version('millrace-cli')}")
        raise typer.Exit


@app.callback()
def options(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end."),
    ] = False,
) -> None:
    """Take the options that stand before a command."""


DataDir = Annotated[Path, typer.Option(help="Folder for data and logs.")]
RedisPort = Annotated[int, typer.Option(help="Port of the embedded Valkey; if it is in use, another is chosen.")]
SimulatorPort = Annotated[int, typer.Option(help="Port of the simulated exchange; if it is in use, another is chosen.")]
ApiPort = Annotated[int, typer.Option(help="Port of the API; 0 for any free one.")]
ConsolePort = Annotated[int, typer.Option(help="Port of the web console; 0 for any free one.")]


class Simulated(StrEnum):
    """The exchanges whose protocol the simulated exchange speaks."""

    BINANCE = "binance"
    KUCOIN = "kucoin"


@app.command("demo")
def demo_command(
    seconds: Annotated[
        float | None, typer.Option("--for", min=0.0, help="Stop after this many seconds; by default run until Ctrl-C.")
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(dir_okay=False, writable=True, help="Write a report of the run to this JSON file."),
    ] = None,
    data_dir: DataDir = Path(".millrace/demo"),
    redis_port: RedisPort = 6379,
    simulator_port: SimulatorPort = 9080,
    api_port: ApiPort = 8080,
    console_port: ConsolePort = 8081,
    seed: Annotated[int, typer.Option(help="Seed of the simulated market: the same seed makes the same market.")] = 1,
    events_per_second: Annotated[
        float | None, typer.Option(min=0.0, help="Order book changes per second, all symbols together (default 200).")
    ] = None,
    exchange: Annotated[Simulated, typer.Option(help="The exchange that is simulated.")] = Simulated.BINANCE,
    examples: Annotated[Path | None, typer.Option(help="Folder with the agents' configurations.")] = None,
    plugin_dir: Annotated[
        Path | None,
        typer.Option(
            file_okay=False,
            exists=True,
            help="Folder of strategies, and of their magicbox.json if there is one; by default those of the examples.",
        ),
    ] = None,
    reset: Annotated[
        bool, typer.Option("--reset", help="Start anew: remove what earlier demos left in --data-dir.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
) -> None:
    """Run the whole platform on this machine: Valkey, a simulated exchange, the five services, a strategy.

    It goes on where the last one on the same folder ended. Errors, or a run without a fill, make the exit code 1.

    Example: millrace demo --for 20
    """
    if report is not None and not report.absolute().parent.is_dir():
        raise typer.BadParameter(f"there is no folder {report.absolute().parent}", param_hint="--report")
    options = DemoOptions(
        data_dir=data_dir,
        examples=examples or configs.examples_folder(),
        seconds=seconds,
        report=report,
        redis_port=redis_port,
        simulator_port=simulator_port,
        api_port=api_port,
        console_port=console_port,
        seed=seed,
        events_per_second=events_per_second,
        exchange=exchange.value,
        plugin_dir=plugin_dir,
        reset=reset,
        quiet=quiet,
    )
    console = Console()

    async def work(stop: asyncio.Event) -> None:
        picture = await demo.run(options, console, stop)
        if picture is None:
            return
        if not quiet:
            console.print(closing_words(picture))
        demo.judge(picture)

    run(work)


@app.command("up")
def up_command(
    redis_url: Annotated[
        str | None,
        typer.Option(envvar="MILLRACE_REDIS_URL", help="Redis to use; by default an embedded Valkey is started."),
    ] = None,
    data_dir: Annotated[
        Path, typer.Option(envvar="MILLRACE_DATA_DIR", help="Folder for the data of the services.")
    ] = Path(".millrace/up"),
    redis_port: RedisPort = 6379,
    gatherer: Annotated[str, typer.Option(help="Agent id of the gatherer.")] = up.AGENTS["gatherer"],
    magicbox: Annotated[str, typer.Option(help="Agent id of magicbox.")] = up.AGENTS["magicbox"],
    executor: Annotated[str, typer.Option(help="Agent id of the executor.")] = up.AGENTS["executor"],
    dbsync: Annotated[str, typer.Option(help="Agent id of dbsync, which writes the database.")] = up.AGENTS["dbsync"],
    api: Annotated[str, typer.Option(help="Agent id of the API.")] = up.AGENTS["api"],
) -> None:
    """Run the five services (gatherer, magicbox, executor, dbsync, api) on the exchanges in their configurations.

    Example: millrace up --redis-url redis://127.0.0.1:6379/0
    """
    agents = {"gatherer": gatherer, "magicbox": magicbox, "executor": executor, "dbsync": dbsync, "api": api}
    say = partial(Console(stderr=True).print, soft_wrap=True, markup=False, highlight=False)
    run(lambda stop: up.run(redis_url, data_dir, redis_port, agents, say, stop))


@app.command(
    "simulator", context_settings={"allow_extra_args": True, "ignore_unknown_options": True}, add_help_option=False
)
def simulator_command(context: typer.Context) -> None:
    """Run the simulated exchange alone; --help lists its options."""
    command = [sys.executable, "-m", "millrace_simulator", *context.args]
    os.execv(sys.executable, command)  # noqa: S606 - this very interpreter, arguments as they were typed


add_commands(app)
add_config_commands(app)
restart.add_command(app)
sign_in.add_command(app)
acl.add_command(app)
alert.add_command(app)
exchanges.add_command(app)
status.add_command(app)
top.add_command(app)
publish.add_command(app)
orders.add_command(app)
intents.add_command(app)
halts.add_commands(app)
add_secrets_commands(app)
add_tenant_commands(app)
doctor.add_command(app)
first_configs.add_command(app)
add_scaffold_commands(app)
recording.add_command(app)
data.add_commands(app)
backtesting.add_command(app)
sweeping.add_command(app)
replaying.add_command(app)

if __name__ == "__main__":
    app()
