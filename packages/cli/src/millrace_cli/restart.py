"""`millrace restart`: have an agent run one of its units afresh, such as a strategy that was stopped for its errors."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer

from millrace_bus import Bus
from millrace_core import names
from millrace_core.errors import MillraceError
from millrace_core.names import AgentId
from millrace_core.near_names import did_you_mean
from millrace_service.settings import DEFAULT_REDIS_URL

ANSWER_LIMIT_S = 5.0

RunAsync = Callable[[Callable[[asyncio.Event], Awaitable[None]]], None]


class NotRestarted(MillraceError):
    """The unit was not restarted; the text says why."""


def add_command(app: typer.Typer, run: RunAsync) -> None:
    """Add the command to `app`; `run` runs it to its end."""

    @app.command("restart")
    def restart_command(
        agent: Annotated[str, typer.Argument(help="Agent id, such as MAGICBOX.")],
        unit: Annotated[str, typer.Argument(help="Unit, as the heartbeat names it, such as StrankaXY.PingPong.")],
        redis_url: Annotated[
            str, typer.Option(envvar="MILLRACE_REDIS_URL", help="Redis that the agent uses.")
        ] = DEFAULT_REDIS_URL,
    ) -> None:
        """Run a unit of an agent afresh, also one that was stopped for good."""
        run(lambda _: restart(redis_url, names.agent_id(agent), unit))
        typer.echo(f"{agent} runs {unit} afresh; its heartbeat and its log say how that goes")


async def restart(redis_url: str, agent: AgentId, unit: str) -> None:
    """Ask an agent to run a unit afresh.

    Raises:
        NotRestarted: the agent does not run, does not listen, or has no unit of this name.
        Unreachable: Redis does not answer.
    """
    async with Bus.connect(redis_url, name="millrace-restart") as bus:
        await bus.ready(ANSWER_LIMIT_S)
        units = {heartbeat.id: [each.name for each in heartbeat.units] for heartbeat in await bus.heartbeats()}
        if agent not in units:
            raise NotRestarted(f"no agent {agent} runs{did_you_mean(agent, units)}")
        if unit not in units[agent]:
            raise NotRestarted(f"{agent} has no unit {unit}{did_you_mean(unit, units[agent])}")
        if not await bus.request_restart(agent, unit):
            raise NotRestarted(f"{agent} does not listen to Redis just now; try again")
