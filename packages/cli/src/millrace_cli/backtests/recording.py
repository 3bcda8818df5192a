"""`millrace record`: the streams of tenants, as they travel, to a file."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from millrace_cli.backtests.arguments import new_file
from millrace_cli.options import AsJson, RedisUrl
from millrace_cli.running import CommandFailed, connected, run
from millrace_core import names
from millrace_core.clock import now_ns
from millrace_service.settings import DEFAULT_REDIS_URL

if TYPE_CHECKING:
    from millrace_backtest.recording.files import RecordingWriter


def add_command(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command("record")
    def record_command(
        out: Annotated[Path, typer.Option("--out", "-o", help="File to write, or a folder for a file named by now.")],
        tenant: Annotated[
            list[str] | None, typer.Option("--tenant", metavar="TENANT", help="A tenant; by default all. Repeatable.")
        ] = None,
        streams: Annotated[
            list[str] | None,
            typer.Option("--streams", metavar="PATTERN", help="Streams; * stands for any text. Repeatable."),
        ] = None,
        seconds: Annotated[
            float | None, typer.Option("--for", min=0.0, help="Stop after this many seconds; by default at Ctrl-C.")
        ] = None,
        redis_url: RedisUrl = DEFAULT_REDIS_URL,
        as_json: AsJson = False,
    ) -> None:
        """Record streams and requests to trade from now on, with the state at the beginning.

        Nothing is lost: what is missing in a journal is recorded as a gap.

        Example: millrace record --out recordings --tenant StrankaXY --tenant PUBLIC --for 60
        """
        console = Console(stderr=True)

        async def work(stop: asyncio.Event) -> None:
            wanted = [names.tenant(each) for each in tenant or ()]
            writer = await _record(redis_url, new_file(out), wanted, streams or [], seconds, console, stop)
            if as_json:
                typer.echo(json.dumps({"file": str(writer.path), "messages": writer.messages, "gaps": writer.gaps}))
            else:
                console.print(_summary(writer), soft_wrap=True)

        run(work, as_json=as_json)


async def _record(
    redis_url: str,
    file: Path,
    tenants: list[names.Tenant],
    streams: list[str],
    seconds: float | None,
    console: Console,
    stop: asyncio.Event,
) -> "RecordingWriter":
    from millrace_backtest.recording.files import RecordingWriter
    from millrace_backtest.recording.recorder import Recorder, recorded_tenant

    async with connected(redis_url, "record") as bus:
        wanted = tenants or await bus.tenants()
        if not wanted:
            raise CommandFailed("no tenant has streams: is a gatherer running on this Redis?")
        with RecordingWriter(file, now_ns()) as writer, Live(console=console, transient=True) as live:
            plans = [recorded_tenant(each, streams) for each in wanted]
            recorder = Recorder(bus, writer, plans, lambda each: live.update(_summary(each)))
            if seconds is not None:
                asyncio.get_running_loop().call_later(seconds, stop.set)
            await recorder.run(stop)
    return writer


def _summary(writer: "RecordingWriter") -> Text:
    gaps = f", {writer.gaps} gaps" if writer.gaps else ""
    streams = len([name for name in writer.streams if not names.is_snapshot(name)])
    return Text(f"{writer.path}: {writer.messages:,} messages of {streams} streams, {writer.size:,} bytes{gaps}")
