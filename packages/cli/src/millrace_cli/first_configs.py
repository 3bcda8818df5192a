"""`millrace init`: the example configurations for agents that have none, so that a new platform has work to do."""

import json
from pathlib import Path
from typing import Annotated

import typer

from millrace_bus import Bus
from millrace_cli import configs
from millrace_cli.options import AsJson, RedisUrl
from millrace_cli.running import plain_errors, run_short
from millrace_core.names import AgentId
from millrace_service.settings import DEFAULT_REDIS_URL


def add_command(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command("init")
    def init_command(
        exchange_url: Annotated[
            str, typer.Option(help="Address of the simulated exchange, as the services reach it.")
        ] = configs.EXAMPLE_SIMULATOR,
        exchange: Annotated[str, typer.Option(help="Exchange that is simulated.")] = configs.EXAMPLE_EXCHANGE,
        examples: Annotated[Path | None, typer.Option(help="Folder with the agents' configurations.")] = None,
        redis_url: RedisUrl = DEFAULT_REDIS_URL,
        wait: Annotated[float, typer.Option(min=0.0, help="How long to wait for Redis, s.")] = 60.0,
        as_json: AsJson = False,
    ) -> None:
        """Write the configuration of the examples for each agent that has none. Others are left as they are.

        Example: millrace init --exchange-url http://127.0.0.1:9080
        """
        with plain_errors(as_json=as_json):
            files = configs.load(examples or configs.examples_folder(), exchange_url, exchange)
        written = run_short(put_missing(redis_url, files, wait), as_json=as_json)
        if as_json:
            typer.echo(json.dumps({"configured": written}))
        else:
            typer.echo(f"configured: {', '.join(written)}" if written else "every agent has a configuration")


async def put_missing(redis_url: str, files: list[configs.AgentFile], wait_s: float) -> list[AgentId]:
    """Write the configurations that are missing; return whose they are.

    Raises:
        Unreachable: Redis did not answer within `wait_s`.
    """
    async with Bus.connect(redis_url, name="millrace-init") as bus:
        await bus.ready(wait_s)
        return [file.agent for file in files if await bus.replace_config(file.agent, None, file.text.encode())]
