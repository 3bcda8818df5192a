"""`millrace alert test`: send a test message to everyone whom alerts would tell."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Annotated

import msgspec
import typer

from millrace_bus import Bus
from millrace_core import names
from millrace_core.errors import MillraceError
from millrace_core.names import AgentId
from millrace_service.settings import DEFAULT_REDIS_URL, read_secret_key

ANSWER_LIMIT_S = 5.0

RunAsync = Callable[[Callable[[asyncio.Event], Awaitable[None]]], None]


class NotDelivered(MillraceError):
    """A receiver did not take the test message."""


def add_command(app: typer.Typer, run: RunAsync) -> None:
    """Add the command to `app`; `run` runs it to its end."""
    alert = typer.Typer(no_args_is_help=True, help="Alerts: see docs/alerts.md.")
    app.add_typer(alert, name="alert")

    @alert.callback()
    def alert_callback() -> None:
        """Alerts: see docs/alerts.md."""

    @alert.command("test")
    def test_command(
        agent: Annotated[str, typer.Option(help="Agent id of alerts.")] = "ALERTS",
        redis_url: Annotated[
            str, typer.Option(envvar="MILLRACE_REDIS_URL", help="Redis that the agent uses.")
        ] = DEFAULT_REDIS_URL,
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    ) -> None:
        """Send a test message to every receiver in the configuration of alerts, from this machine.

        Example: millrace alert test --agent ALERTS

        MILLRACE_SECRET_KEY or MILLRACE_SECRET_KEY_FILE decrypts the addresses. If one does not take it, the exit code
        is 1.
        """
        run(lambda _: send(redis_url, names.agent_id(agent), as_json=as_json))


async def send(redis_url: str, agent: AgentId, *, as_json: bool = False) -> None:
    """Send the test messages, and print what became of each.

    Raises:
        NotDelivered: a receiver did not take it.
        NothingToTest: no receiver is configured.
        Unreachable: Redis does not answer.
    """
    # Apprise takes half a second to import, which no other command should wait for.
    from millrace_alerts.testing import send_test

    async with Bus.connect(redis_url, name="millrace-alert") as bus:
        await bus.ready(ANSWER_LIMIT_S)
        results = await send_test(bus, agent, read_secret_key(os.environ))
    if as_json:
        typer.echo(msgspec.json.encode(results).decode())
    else:
        for receiver, refusal in results.items():
            typer.echo(f"{receiver}: {refusal or 'delivered'}")
    if refused := [receiver for receiver, refusal in results.items() if refusal is not None]:
        raise NotDelivered(f"not delivered to {', '.join(refused)}")
