"""Totals that have grown since they were last looked at, however often agents and alerts were restarted. Pure."""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from millrace_alerts.memory import CountersSeen
from millrace_core.heartbeat import Heartbeat, UnitHealth

WATCHED: Final = ("gaps", "lost", "failures")


class Increase(NamedTuple):
    """How much a total of a unit has grown."""

    agent: str
    kind: str
    unit: str
    counter: str
    by: float


def increases(beats: Iterable[Heartbeat], seen: dict[str, CountersSeen], *, is_first: bool) -> list[Increase]:
    """Return what has grown, and remember it in `seen`; the first look ever only remembers."""
    found: list[Increase] = []
    for beat in beats:
        known = seen.get(beat.id)
        if known is None or known.started_at != beat.started_at:
            # A new process counts from nothing.
            known = seen[beat.id] = CountersSeen(beat.started_at)
        found += [increase for unit in beat.units for increase in _of_unit(beat, unit, known)]
    return [] if is_first else found


def _of_unit(beat: Heartbeat, unit: UnitHealth, known: CountersSeen) -> Iterator[Increase]:
    for counter in WATCHED:
        total = unit.counters.get(counter, 0)
        before = known.totals.get(unit.name, {}).get(counter, 0)
        if total != before:
            known.totals.setdefault(unit.name, {})[counter] = total
        # A unit that was removed and added again counts from nothing.
        if by := total - before if total >= before else total:
            yield Increase(beat.id, beat.kind, unit.name, counter, by)
