"""What is wrong right now, in words, the worst first: halts, dead agents, failed workers and units, errors."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from millrace_cli.picture import Picture
from millrace_core.heartbeat import Heartbeat
from millrace_core.states import BookState

REPLACED_SHOWN_MS = 60_000
"""How long a replaced worker is shown: its successor works, and what happened is past."""


class Trouble(NamedTuple):
    """One thing that is wrong."""

    kind: str
    """A word for the eye: HALTED, DEAD, FAILED, STALE, CONFIG, ERROR …"""
    text: str


def troubles(picture: Picture, now_ms: int) -> list[Trouble]:
    """Return everything that is wrong, the worst first."""
    dead = picture.dead(now_ms)
    alive = [beat for agent, beat in sorted(picture.heartbeats.items()) if agent not in dead]
    found = list(_halts(picture))
    found += [
        Trouble("DEAD", f"{agent}: nothing heard for {silent_s:.0f} s") for agent, silent_s in sorted(dead.items())
    ]
    for beat in alive:
        found += _configuration(beat)
        found += _workers(picture, beat, now_ms)
        found += _units(beat)
    found += _untrusted(picture)
    found += _errors(picture)
    return found


def _halts(picture: Picture) -> Iterator[Trouble]:
    for halt in picture.halts:
        who = f" by {halt.by}" if halt.by else ""
        why = f": {halt.reason}" if halt.reason else ""
        yield Trouble("HALTED", f"{halt.tenant} {halt.scope} since {_time(halt.since_ms)}{who}{why}")


def _configuration(beat: Heartbeat) -> Iterator[Trouble]:
    if beat.state == "stopped":
        yield Trouble("STOPPED", f"{beat.id}: by its configuration")
    for problem in beat.config_errors:
        yield Trouble("CONFIG", f"{beat.id} {problem.path}: {problem.message}")


def _workers(picture: Picture, beat: Heartbeat, now_ms: int) -> Iterator[Trouble]:
    units = {unit.name for unit in beat.units}
    for worker in beat.workers:
        if worker.name in units and worker.state == "stopped":
            continue  # its unit says the same
        detail = f": {worker.detail}" if worker.detail else ""
        if worker.state in ("failed", "stopped"):
            yield Trouble(worker.state.upper(), f"{beat.id} worker {worker.name}{detail}")
        elif now_ms - picture.replaced_ms.get((beat.id, worker.name), -REPLACED_SHOWN_MS) < REPLACED_SHOWN_MS:
            yield Trouble("REPLACED", f"{beat.id} worker {worker.name}, {worker.replaced} times{detail}")


def _units(beat: Heartbeat) -> Iterator[Trouble]:
    for unit in beat.units:
        if unit.state not in ("live", "starting"):
            detail = f": {unit.detail}" if unit.detail else ""
            yield Trouble(unit.state.upper(), f"{beat.id} {unit.name}{detail}")


def _untrusted(picture: Picture) -> Iterator[Trouble]:
    for _, view in sorted(picture.streams.items()):
        if isinstance(view.state, BookState) and not view.trusted:
            yield Trouble("STALE", f"{view.name}: the book is not to be trusted")


def _errors(picture: Picture) -> Iterator[Trouble]:
    """Yield each different error once, the newest first, with the time of the newest and how many there were."""
    times: dict[tuple[str, str], list[int]] = {}
    for error in reversed(picture.errors):
        times.setdefault((error.where, error.message), []).append(error.at_ms)
    for (where, message), at_ms in times.items():
        count = f" ({len(at_ms)} times)" if len(at_ms) > 1 else ""
        yield Trouble("ERROR", f"{_time(max(at_ms))}{count} {where}: {message}")


def _time(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%H:%M:%S}"
