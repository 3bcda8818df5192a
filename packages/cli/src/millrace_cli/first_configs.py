"""`millrace init`: the example configurations for agents that have none, so that a new platform has work to do."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer

from millrace_bus import Bus
from millrace_cli import configs
from millrace_core.names import AgentId
from millrace_service.settings import DEFAULT_REDIS_URL

RunAsync = Callable[[Callable[[asyncio.Event], Awaitable[None]]], None]


def add_command(app: typer.Typer, run: RunAsync) -> None:
    """Add the command to `app`; `run` runs it to its end."""

    @app.command("init")
    def init_command(
        exchange_url: Annotated[
            str, typer.Option(help="Address of the simulated exchange, as the services reach it.")
        ] = configs.EXAMPLE_SIMULATOR,
        exchange: Annotated[str, typer.Option(help="Exchange that is simulated.")] = configs.EXAMPLE_EXCHANGE,
        examples: Annotated[Path | None, typer.Option(help="Folder with the agents' configurations.")] = None,
        redis_url: Annotated[
            str, typer.Option(envvar="MILLRACE_REDIS_URL", help="Redis that the services use.")
        ] = DEFAULT_REDIS_URL,
        wait: Annotated[float, typer.Option(min=0.0, help="How long to wait for Redis, s.")] = 60.0,
    ) -> None:
        """Write the configuration of the examples for each agent that has none. Others are left as they are.

        Example: millrace init --exchange-url http://127.0.0.1:9080
        """

        async def work(_stop: asyncio.Event) -> None:
            files = configs.load(examples or configs.examples_folder(), exchange_url, exchange)
            written = await put_missing(redis_url, files, wait)
            typer.echo(f"configured: {', '.join(written)}" if written else "every agent has a configuration")

        run(work)


async def put_missing(redis_url: str, files: list[configs.AgentFile], wait_s: float) -> list[AgentId]:
    """Write the configurations that are missing; return whose they are.

    Raises:
        Unreachable: Redis did not answer within `wait_s`.
    """
    async with Bus.connect(redis_url, name="millrace-init") as bus:
        await bus.ready(wait_s)
        return [file.agent for file in files if await bus.replace_config(file.agent, None, file.text.encode())]
