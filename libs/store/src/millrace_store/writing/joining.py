"""Batches that follow one another made into one, so that they are committed together. Pure."""

from collections.abc import Sequence

from millrace_store.schema import tables
from millrace_store.writing.batch import Batch
from millrace_store.writing.floors import begun, rows_above, sightings_above
from millrace_store.writing.written import Written


def joined(batches: Sequence[Batch]) -> Batch:
    """Return one batch of several, the same as if all had been added to it.

    Each must hold only messages that follow those of the same streams before it; none of them is changed.
    """
    if len(batches) == 1:
        return batches[0]
    whole = Batch()
    for batch in batches:
        _add(whole, batch)
    return whole


def _add(whole: Batch, later: Batch) -> None:
    # Of each epoch the first snapshot tells what held as it began, and it may be in an earlier batch.
    told = begun({name: written.last for name, written in whole.written.items()})
    for table, rows in later.rows.items():
        whole.add_rows(table, rows_above(told, rows) if table is tables.balances else rows)
    whole.book_pages += later.book_pages
    whole.sightings += sightings_above(told, later.sightings)
    for name, written in later.written.items():
        whole.written.setdefault(name, Written(name)).append(written)
    whole.candle_rows.update(later.candle_rows)
    whole.minutes |= later.minutes
    whole.gap_rows += later.gap_rows
    whole.latencies += later.latencies
    whole.agent_rows += later.agent_rows
    whole.config_rows += later.config_rows
    whole.duplicates += later.duplicates
