"""Which rows are new: those of messages above the floor of their stream, which is how far it was told before. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from millrace_core.ids import MessageId
from millrace_core.names import is_snapshot
from millrace_store.backends.columns import Columns
from millrace_store.schema.streams import stream_id
from millrace_store.writing.batch import Sighting
from millrace_store.writing.written import NOWHERE

Floors = Mapping[int, MessageId]
"""By stream; one that is not there has no floor."""
_NEVER: Final = 2**64
"""Beyond the last message of any epoch."""


def rows_above(floors: Floors, rows: Columns) -> Columns:
    """Leave out the rows of messages that are not new; each row begins with stream_id, at_ms, epoch, seq."""
    if not floors:
        return rows
    streams, _, epochs, seqs = rows.lists[:4]
    above = (
        (epoch, seq) > floors.get(stream, NOWHERE) for stream, epoch, seq in zip(streams, epochs, seqs, strict=True)
    )
    return rows.where(list(above))


def sightings_above(floors: Floors, sightings: Sequence[Sighting]) -> Sequence[Sighting]:
    """Leave out what messages that are not new said of orders."""
    return [one for one in sightings if one.id > floors.get(one.stream, NOWHERE)]


def begun(positions: Mapping[str, MessageId]) -> dict[int, MessageId]:
    """Return for each stream of snapshots, by its name, the end of its newest epoch: what held as it began is told."""
    return {stream_id(name): MessageId(at.epoch, _NEVER) for name, at in positions.items() if is_snapshot(name)}
