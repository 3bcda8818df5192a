"""`millrace status`: each stream of the gatherers, as their heartbeats tell it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Annotated, Final

import typer
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from millrace_bus import Bus
from millrace_core.clock import now_ms
from millrace_core.heartbeat import HEARTBEAT_INTERVAL_S, Heartbeat, UnitHealth
from millrace_service.settings import DEFAULT_REDIS_URL

RunAsync = Callable[[Callable[[asyncio.Event], Awaitable[None]]], None]
ANSWER_LIMIT_S: Final = 5.0
LATE_MS: Final = 2_500 * HEARTBEAT_INTERVAL_S
"""An agent that sent nothing for longer is not to be believed any more."""
_COLOURS: Final = {"live": "green", "unverified": "yellow", "standby": "yellow", "starting": "yellow"}


def add_command(app: typer.Typer, run: RunAsync) -> None:
    """Add the command to `app`; `run` runs it to its end."""

    @app.command("status")
    def status_command(
        redis_url: Annotated[
            str, typer.Option(envvar="MILLRACE_REDIS_URL", help="Redis that the agents use.")
        ] = DEFAULT_REDIS_URL,
    ) -> None:
        """Show each stream: live, unverified or stale, since when, its rate, its lag and its last gap."""
        console = Console()

        async def work(_stop: asyncio.Event) -> None:
            async with Bus.connect(redis_url, name="millrace-status") as bus:
                await bus.ready(ANSWER_LIMIT_S)
                beats = [beat for beat in await bus.heartbeats() if beat.kind == "gatherer"]
            for part in shown(beats, now_ms()):
                console.print(part)

        run(work)


def shown(beats: Iterable[Heartbeat], at_ms: int) -> Iterator[RenderableType]:
    """Yield a headline and a table of streams for each gatherer."""
    beats = sorted(beats, key=lambda beat: beat.id)
    if not beats:
        yield Text("no gatherer runs", style="yellow")
    for beat in beats:
        yield _headline(beat, at_ms)
        yield _streams(beat, at_ms)


def _headline(beat: Heartbeat, at_ms: int) -> Text:
    live = sum(unit.state == "live" for unit in beat.units)
    text = Text(f"{beat.id}: {beat.state}, {live} of {len(beat.units)} streams live", style="bold")
    if at_ms - beat.sent_at > LATE_MS:
        text.append(f"; silent for {_age(at_ms - beat.sent_at)}, what follows is old", style="bold red")
    return text


def _streams(beat: Heartbeat, at_ms: int) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("stream", overflow="fold")
    for heading in ("state", "since", "msgs/s", "lag", "gap", "by"):
        table.add_column(heading, justify="left" if heading == "state" else "right", no_wrap=True)
    for unit in sorted(beat.units, key=lambda unit: unit.name):
        table.add_row(*_row(unit, at_ms))
        for remark in _remarks(unit):
            table.add_row(Text(f"  {remark}", style="dim"))
    return table


def _row(unit: UnitHealth, at_ms: int) -> list[Text | str]:
    gap_at = unit.counters.get("lastGapAt")
    return [
        unit.name,
        Text(unit.state, _COLOURS.get(unit.state, "red")),
        _age(at_ms - unit.since),
        _number(unit.counters.get("messagesPerSecond")),
        _number(unit.counters.get("lagMs"), " ms"),
        "" if gap_at is None else _age(at_ms - int(gap_at)),
        f"{unit.source or ''} {unit.worker or ''}".strip(),
    ]


def _remarks(unit: UnitHealth) -> Iterator[str]:
    if unit.detail and unit.state != "live":
        yield unit.detail
    if (interval_s := unit.counters.get("pollIntervalS")) is not None:
        yield f"asked for every {interval_s:g} s: the exchange does not stream it"


def _number(value: float | None, unit: str = "") -> str:
    return "" if value is None else f"{value:,g}{unit}"


def _age(ms: int) -> str:
    """Return a duration in its largest unit: `12 s`, `7 min`, `3 h`, `2 d`."""
    seconds = max(0, ms // 1000)
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
