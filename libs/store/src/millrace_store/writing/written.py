"""Tracks the messages of each stream in a batch, and which of them are new. Pure.

Ids have no gaps, so the messages of a stream are a few runs, and a position says of every message whether it is new.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final, NamedTuple

import msgspec

from millrace_core.ids import BEGINNING, MessageId
from millrace_core.message_ids import MessageIds
from millrace_core.names import is_snapshot
from millrace_core.orders import OrderRecord
from millrace_store.backends.columns import Columns
from millrace_store.schema.streams import stream_id


class Run(NamedTuple):
    """Messages of one epoch that follow one another, both ends included."""

    epoch: int
    first: int
    last: int

    @property
    def messages(self) -> int:
        """Number of messages."""
        return self.last - self.first + 1


class EpochCount(NamedTuple):
    """How many messages of one epoch a batch holds, and the first and last of them."""

    epoch: int
    first: int
    last: int
    messages: int


class Written(msgspec.Struct):
    """The messages of one stream that a batch holds."""

    name: str
    runs: list[Run] = []
    """Ascending."""
    position: MessageId | None = None
    """A position beyond the last message, up to which there is nothing to store."""

    @property
    def last(self) -> MessageId:
        """The newest message."""
        return MessageId(self.runs[-1].epoch, self.runs[-1].last) if self.runs else BEGINNING

    @property
    def reaches(self) -> MessageId:
        """The position of the stream after this batch."""
        return self.last if self.position is None else max(self.position, self.last)

    @property
    def messages(self) -> int:
        """Number of messages."""
        return sum(run.messages for run in self.runs)

    def add(self, ids: MessageIds) -> list[bool] | None:
        """Add messages above those before them. Return None if all were, else a flag for each."""
        first, last = ids[0], ids[-1]
        if first > self.last and ids.is_run:
            self._append(Run(first.epoch, first.seq, last.seq))
            return None
        added = []
        for one in ids:
            added.append(one > self.last)
            if added[-1]:
                self._append(Run(one.epoch, one.seq, one.seq))
        return None if all(added) else added

    def is_above(self, position: MessageId) -> bool:
        """Tell whether no message is at or below a position."""
        return not self.runs or position < (self.runs[0].epoch, self.runs[0].first)

    def above(self, position: MessageId) -> Iterator[EpochCount]:
        """Return the messages above a position, epoch by epoch."""
        new = (_cut(run, position) for run in self.runs if (run.epoch, run.last) > position)
        for epoch, group in groupby(new, key=lambda run: run.epoch):
            runs = list(group)
            yield EpochCount(epoch, runs[0].first, runs[-1].last, sum(run.messages for run in runs))

    def _append(self, run: Run) -> None:
        if self.runs and MessageId(run.epoch, run.first).follows(self.last):
            run = Run(run.epoch, self.runs.pop().first, run.last)
        self.runs.append(run)


def _cut(run: Run, position: MessageId) -> Run:
    """Return a run without the messages at or below a position."""
    return run._replace(first=max(run.first, position.seq + 1)) if run.epoch == position.epoch else run


class OrderObservation(NamedTuple):
    """The report of one message about an order."""

    stream: int
    id: MessageId
    tenant: str
    record: OrderRecord
    edit: str | None = None
    """The id of the edit that this is an answer to."""


HighWaterMarks = Mapping[int, MessageId]
"""By stream, the newest message that is not new; every message of a stream that is not in it is new."""
_BEYOND_EVERY_SEQ: Final = 2**64


def rows_above(marks: HighWaterMarks, rows: Columns) -> Columns:
    """Return the rows of new messages; each row begins with stream_id, at_ms, epoch, seq."""
    if not marks:
        return rows
    streams, _, epochs, seqs = rows.lists[:4]
    above = (
        (epoch, seq) > marks.get(stream, BEGINNING) for stream, epoch, seq in zip(streams, epochs, seqs, strict=True)
    )
    return rows.where(list(above))


def observations_above(marks: HighWaterMarks, observations: Sequence[OrderObservation]) -> Sequence[OrderObservation]:
    """Return the order observations of new messages."""
    return [one for one in observations if one.id > marks.get(one.stream, BEGINNING)]


def begun_epochs(positions: Mapping[str, MessageId]) -> dict[int, MessageId]:
    """Return for each stream of snapshots the end of its newest epoch, so that only a later epoch counts as new.

    The first snapshot of an epoch holds the state at the epoch's begin; later ones add nothing to that.
    """
    return {
        stream_id(name): MessageId(at.epoch, _BEYOND_EVERY_SEQ) for name, at in positions.items() if is_snapshot(name)
    }
