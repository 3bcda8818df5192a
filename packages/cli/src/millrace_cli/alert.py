"""`millrace alert test`: send a test message to everyone whom alerts would tell."""

import os

import msgspec
import typer

from millrace_cli.options import AgentOption, AsJson, RedisUrl
from millrace_cli.running import connected, run_short
from millrace_core.errors import MillraceError
from millrace_core.names import AgentId
from millrace_service.settings import DEFAULT_REDIS_URL, read_secret_key


class NotDelivered(MillraceError):
    """A receiver did not take the test message."""


def add_command(app: typer.Typer) -> None:
    """Add the command to `app`."""
    alert = typer.Typer(no_args_is_help=True, help="Alerts: see docs/alerts.md.")
    app.add_typer(alert, name="alert")

    @alert.callback()
    def alert_callback() -> None:
        """Alerts: see docs/alerts.md."""

    @alert.command("test")
    def test_command(
        agent: AgentOption = AgentId("ALERTS"),  # noqa: B008 - a text
        redis_url: RedisUrl = DEFAULT_REDIS_URL,
        as_json: AsJson = False,
    ) -> None:
        """Send a test message to every receiver in the configuration of alerts, from this machine.

        MILLRACE_SECRET_KEY or MILLRACE_SECRET_KEY_FILE decrypts the addresses. If one does not take it, the exit code
        is 1.

        Example: millrace alert test --agent ALERTS
        """
        # What was not delivered stands in what is printed, so the error is no second JSON value.
        run_short(send(redis_url, agent, as_json=as_json))


async def send(redis_url: str, agent: AgentId, *, as_json: bool = False) -> None:
    """Send the test messages, and print what became of each.

    Raises:
        NotDelivered: a receiver did not take it.
        NothingToTest: no receiver is configured.
        Unreachable: Redis does not answer.
    """
    # Apprise takes half a second to import, which no other command should wait for.
    from millrace_alerts.testing import send_test

    async with connected(redis_url, "alert") as bus:
        results = await send_test(bus, agent, read_secret_key(os.environ))
    if as_json:
        typer.echo(msgspec.json.encode(results).decode())
    else:
        for receiver, refusal in results.items():
            typer.echo(f"{receiver}: {refusal or 'delivered'}")
    if refused := [receiver for receiver, refusal in results.items() if refusal is not None]:
        raise NotDelivered(f"not delivered to {', '.join(refused)}")
