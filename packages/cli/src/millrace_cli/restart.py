"""`millrace restart`: have an agent run one of its units afresh, such as a strategy that was stopped for its errors."""

import json
from typing import Annotated

import typer

from millrace_cli.options import AgentArgument, AsJson, RedisUrl
from millrace_cli.running import CommandFailed, connected, run_short
from millrace_core.names import AgentId
from millrace_core.near_names import did_you_mean
from millrace_service.settings import DEFAULT_REDIS_URL


def add_command(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command("restart")
    def restart_command(
        agent: AgentArgument,
        unit: Annotated[str, typer.Argument(help="Unit, as the heartbeat names it, such as StrankaXY.PingPong.")],
        redis_url: RedisUrl = DEFAULT_REDIS_URL,
        as_json: AsJson = False,
    ) -> None:
        """Run a unit of an agent afresh, also one that was stopped for good.

        Example: millrace restart MAGICBOX StrankaXY.PingPong
        """
        run_short(restart(redis_url, agent, unit), as_json=as_json)
        if as_json:
            typer.echo(json.dumps({"agent": agent, "unit": unit}))
        else:
            typer.echo(f"{agent} runs {unit} afresh; its heartbeat and its log say how that goes")


async def restart(redis_url: str, agent: AgentId, unit: str) -> None:
    """Ask an agent to run a unit afresh.

    Raises:
        CommandFailed: the agent does not run, does not listen, or has no unit of this name.
        Unreachable: Redis does not answer.
    """
    async with connected(redis_url, "restart") as bus:
        units = {heartbeat.id: [each.name for each in heartbeat.units] for heartbeat in await bus.heartbeats()}
        if agent not in units:
            raise CommandFailed(f"no agent {agent} runs{did_you_mean(agent, units)}")
        if unit not in units[agent]:
            raise CommandFailed(f"{agent} has no unit {unit}{did_you_mean(unit, units[agent])}")
        if not await bus.request_restart(agent, unit):
            raise CommandFailed(f"{agent} does not listen to Redis just now; try again")
