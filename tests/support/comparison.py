"""Compares the database with the journals: each message is one row or one group of rows, and nothing else."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from tests.support.databases import AWAY, Database
from tests.support.expected import COLUMNS, Row, candles_of, from_database, is_kept, rows_of
from tests.support.platform import Platform, until
from tests.support.recording import Journal, Recording

from millrace_core.ids import MessageId

_SHOWN = 10
"""Differences of one stream that are listed one by one."""


class Gap(NamedTuple):
    """A row of `gaps`, without when it was found and why."""

    stream: str
    epoch: int
    first_seq: int
    last_seq: int
    missing: int


@dataclass
class Comparison:
    """What was compared, and what was found to differ."""

    journals: int = 0
    messages: int = 0
    rows: Counter[str] = field(default_factory=Counter)
    """By table."""
    differences: list[str] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    unstored: dict[str, list[MessageId]] = field(default_factory=dict)
    """Seen in a journal once, but neither in the database nor in the journal any more."""

    def __str__(self) -> str:
        rows = ", ".join(f"{count:,} {table}" for table, count in sorted(self.rows.items()))
        lost = sum(map(len, self.unstored.values()))
        return (
            f"{self.messages:,} messages of {self.journals} journals; {sum(self.rows.values()):,} rows ({rows}); "
            f"{len(self.differences)} differences, {len(self.gaps)} gaps, {lost} messages gone before they were read"
        )


class _Stored(NamedTuple):
    """What the database has of one stream."""

    rows: Counter[Row]
    ids: set[MessageId]
    epochs: dict[int, tuple[int, int, int]]


async def caught_up(platform: Platform, recorded: Recording, database: Database, timeout: float = 60) -> None:
    """Wait until every journal is stored to its end; their writers have stopped."""
    ends = {name: max(journal) for name, journal in (await recorded.now()).items() if is_kept(name) and journal}

    async def is_stored() -> bool:
        try:
            rows = await database.fetch("SELECT name, position_epoch, position_seq FROM streams")
        except AWAY:
            return False
        at = {name: MessageId(epoch, seq) for name, epoch, seq in rows}
        return all(at.get(name) == end for name, end in ends.items())

    await until(is_stored, "dbsync has come to the end of all journals", timeout, platform)


async def compare(recorded: Recording, database: Database) -> Comparison:
    """Compare everything that was ever seen in the journals with everything in the database."""
    held = await recorded.now()
    stored = await _stored(database)
    result = Comparison(gaps=await _gaps(database))
    wanted = {name: journal for name, journal in recorded.journals.items() if is_kept(name)}
    for name in wanted.keys() ^ stored.keys():
        result.differences.append(f"{name}: {'not stored' if name in wanted else 'stored, but was never seen'}")
    for name in sorted(wanted.keys() & stored.keys()):
        _compare(result, name, wanted[name], held.get(name, {}), stored[name])
        if ".watchOHLCV." in name:
            result.differences += await _candles(database, name, wanted[name])
    return result


def _compare(result: Comparison, name: str, seen: Journal, held: Journal, stored: _Stored) -> None:
    # Candles replace one another: how many messages came is in the epochs alone.
    ids = set(seen) if ".watchOHLCV." in name else stored.ids | set(held)
    due = {id_: body for id_, body in seen.items() if id_ in ids}
    result.journals += 1
    result.messages += len(due)
    result.rows.update(table for table, _ in stored.rows.elements())
    if gone := sorted(seen.keys() - due.keys()):
        result.unstored[name] = gone
    expected = rows_of(name, due)
    for word, rows in (("is missing", expected - stored.rows), ("should not be there", stored.rows - expected)):
        reported = [f"{name}: {row} {word}" for row in list(rows)[:_SHOWN]]
        result.differences += reported + [f"{name}: {rows.total() - len(reported)} more like that"] * (
            rows.total() > len(reported)
        )
    if (epochs := _epochs(due)) != stored.epochs:
        result.differences.append(f"{name}: epochs are {stored.epochs}, by the journal {epochs}")


def _epochs(ids: Iterable[MessageId]) -> dict[int, tuple[int, int, int]]:
    """Return the first and last number of each epoch, and how many there are."""
    numbers: dict[int, list[int]] = defaultdict(list)
    for epoch, seq in ids:
        numbers[epoch].append(seq)
    return {epoch: (min(seqs), max(seqs), len(seqs)) for epoch, seqs in numbers.items()}


async def _stored(database: Database) -> Mapping[str, _Stored]:
    names = dict(await database.fetch("SELECT id, name FROM streams"))
    found = {name: _Stored(Counter(), set(), {}) for name in names.values()}
    for table, columns in COLUMNS.items():
        for stream, *row in await database.fetch(f"SELECT stream_id, {columns} FROM {table}"):
            one = found[names[stream]]
            one.rows[from_database(table, tuple(row))] += 1
            one.ids.add(MessageId(row[0], row[1]))
    query = "SELECT stream_id, epoch, first_seq, last_seq, messages FROM stream_epochs"
    for stream, epoch, *counts in await database.fetch(query):
        found[names[stream]].epochs[epoch] = tuple(counts)
    return found


async def _gaps(database: Database) -> list[Gap]:
    query = (
        "SELECT s.name, g.epoch, g.first_seq, g.last_seq, g.missing FROM gaps g JOIN streams s ON s.id = g.stream_id "
        "ORDER BY s.name, g.epoch, g.first_seq"
    )
    return [Gap(*row) for row in await database.fetch(query)]


async def _candles(database: Database, name: str, journal: Journal) -> list[str]:
    query = (
        "SELECT timeframe, at_ms, epoch, seq, open, high, low, close, volume FROM candles "
        f"WHERE stream_id = (SELECT id FROM streams WHERE name = '{name}')"
    )
    stored: dict[Any, Any] = {}
    for timeframe, at_ms, epoch, seq, *numbers in await database.fetch(query):
        stored[timeframe, at_ms] = (epoch, seq, *map(Decimal, numbers))
    expected = candles_of(journal)
    wrong = [key for key in expected.keys() | stored.keys() if expected.get(key) != stored.get(key)]
    return [f"{name}: candle {key} is {stored.get(key)}, by the journal {expected.get(key)}" for key in wrong]
