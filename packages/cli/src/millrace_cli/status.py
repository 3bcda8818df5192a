"""`millrace status`: all agents, what is halted, and each stream of the gatherers, as Redis tells it."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

import msgspec
import typer
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from millrace_bus import Bus, HaltNote, HaltScope
from millrace_cli.known_tenants import known_tenants
from millrace_cli.options import AsJson, RedisUrl
from millrace_cli.running import connected, run_short
from millrace_core.clock import now_ms
from millrace_core.heartbeat import HEARTBEAT_INTERVAL_S, Heartbeat, UnitHealth
from millrace_core.names import Tenant
from millrace_service.settings import DEFAULT_REDIS_URL

LATE_MS: Final = 2_500 * HEARTBEAT_INTERVAL_S
"""An agent that sent nothing for longer is not to be believed any more."""
_COLOURS: Final = {"live": "green", "unverified": "yellow", "standby": "yellow", "starting": "yellow"}


class PlatformState(NamedTuple):
    """The platform as Redis tells it at one moment."""

    heartbeats: list[Heartbeat]
    halts: dict[Tenant, dict[HaltScope, HaltNote]]
    """By tenant; those without halts are left out."""


def add_command(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command("status")
    def status_command(redis_url: RedisUrl = DEFAULT_REDIS_URL, as_json: AsJson = False) -> None:
        """Show all agents, what is halted, and each stream: live, unverified or stale, its rate, lag and last gap.

        Example: millrace status
        """
        state = run_short(_read(redis_url), as_json=as_json)
        if as_json:
            typer.echo(json.dumps(_as_json(state)))
            return
        console = Console()
        gatherers = [beat for beat in state.heartbeats if beat.kind == "gatherer"]
        lines: list[RenderableType] = [*agent_lines(state.heartbeats, now_ms()), *halt_lines(state.halts)]
        for part in (*lines, *shown(gatherers, now_ms())):
            console.print(part)


async def read_state(bus: Bus) -> PlatformState:
    """Return the platform's state."""
    halts = {tenant: await bus.halts.get(tenant) for tenant in await known_tenants(bus)}
    return PlatformState(await bus.heartbeats(), {tenant: found for tenant, found in halts.items() if found})


async def _read(redis_url: str) -> PlatformState:
    async with connected(redis_url, "status") as bus:
        return await read_state(bus)


def _as_json(state: PlatformState) -> dict[str, Any]:
    halts = [
        {"tenant": tenant, "scope": str(scope), **msgspec.to_builtins(note)}
        for tenant, found in state.halts.items()
        for scope, note in found.items()
    ]
    return {"agents": msgspec.to_builtins(state.heartbeats), "halts": halts}


def agent_lines(beats: Iterable[Heartbeat], at_ms: int) -> Iterator[Text]:
    """Yield a line for each agent, and one for each mistake in its configuration."""
    for beat in sorted(beats, key=lambda beat: beat.id):
        live = sum(unit.state in ("live", "unverified") for unit in beat.units)
        is_late = at_ms - beat.sent_at > LATE_MS
        state = f"silent for {_age(at_ms - beat.sent_at)}" if is_late else beat.state
        yield Text.assemble(
            (f"{beat.id:<12} ", "bold"),
            (f"{state:<10} ", "red" if is_late else "green" if beat.state == "running" else "yellow"),
            f"{live} of {len(beat.units)} units live",
        )
        yield from (Text(f"  {problem.path}: {problem.message}", "red") for problem in beat.config_errors)


def halt_lines(halts: dict[Tenant, dict[HaltScope, HaltNote]]) -> Iterator[Text]:
    """Yield a line for each halt: its tenant and scope, reason and author."""
    for tenant, found in sorted(halts.items()):
        for scope, note in found.items():
            by, reason = f" by {note.by}" if note.by else "", f": {note.reason}" if note.reason else ""
            yield Text(f"HALTED {tenant} {scope}{by}{reason}", "bold red")


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
            table.add_row(Padding(Text(remark, style="dim"), (0, 0, 0, 2)))
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
    if unit.detail:
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
