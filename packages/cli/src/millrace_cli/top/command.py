"""The command `millrace top`."""

import json

import msgspec
import typer

from millrace_cli.options import AsJson, RedisUrl
from millrace_cli.running import connected, run_short
from millrace_cli.status import PlatformState, read_state
from millrace_service.settings import DEFAULT_REDIS_URL


def add_command(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command("top")
    def top_command(redis_url: RedisUrl = DEFAULT_REDIS_URL, as_json: AsJson = False) -> None:
        """Show agents, streams, orders, latencies and halts, live. Keys 1 to 4 choose the view, q quits.

        With --json it prints the agents' heartbeats once, a line for each.

        Example: millrace top
        """
        # Before the screen is taken, so that an error is a plain line.
        state = run_short(_read(redis_url), as_json=as_json)
        if as_json:
            for beat in state.heartbeats:
                typer.echo(json.dumps(msgspec.to_builtins(beat)))
            return
        # Its code takes a third of a second to import, which other commands need not wait for.
        from millrace_cli.top.app import Top

        Top(redis_url).run()


async def _read(redis_url: str) -> PlatformState:
    async with connected(redis_url, "top") as bus:
        return await read_state(bus)
