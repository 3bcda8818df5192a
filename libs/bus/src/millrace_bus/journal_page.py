"""Entries of a journal as they were read together: thousands at a time, so kept column by column."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import repeat
from typing import Any, NamedTuple, Self, overload

import msgspec

from millrace_bus.faces import FIELD, entry_body
from millrace_core.ids import MessageId


class JournalEntry(NamedTuple):
    """One entry of a journal: in streams the id is the message's own, in requests to trade it is Redis's."""

    id: MessageId
    body: bytes | None
    """The message as it was written; None where the entry has no field `data`."""


class JournalPage(Sequence[JournalEntry]):
    """Entries of one journal, oldest first."""

    __slots__ = ("bodies", "ids")

    def __init__(self, ids: list[MessageId] | None = None, bodies: list[bytes | None] | None = None) -> None:
        self.ids: list[MessageId] = [] if ids is None else ids
        """Of each entry."""
        self.bodies: list[bytes | None] = [] if bodies is None else bodies
        """Of each entry, its message."""

    @classmethod
    def of(cls, entries: Iterable[JournalEntry]) -> Self:
        """Give a page of single entries."""
        page = cls()
        for entry_id, body in entries:
            page.ids.append(entry_id)
            page.bodies.append(body)
        return page

    @classmethod
    def read(cls, found: Sequence[Sequence[Any]]) -> Self:
        """Give a page of what Redis answers: entry ids, each with a list of its fields and values."""
        bodies = [fields[1] if len(fields) == 2 and fields[0] == FIELD else entry_body(fields) for _, fields in found]
        return cls(_ids([entry_id for entry_id, _ in found]), bodies)

    def extend(self, page: "JournalPage") -> None:
        """Add what follows."""
        self.ids += page.ids
        self.bodies += page.bodies

    @overload
    def __getitem__(self, at: int) -> JournalEntry: ...
    @overload
    def __getitem__(self, at: slice) -> Self: ...
    def __getitem__(self, at: int | slice) -> JournalEntry | Self:
        if isinstance(at, slice):
            return type(self)(self.ids[at], self.bodies[at])
        return JournalEntry(self.ids[at], self.bodies[at])

    def __iter__(self) -> Iterator[JournalEntry]:
        return map(JournalEntry, self.ids, self.bodies)

    def __len__(self) -> int:
        return len(self.ids)


def _ids(texts: list[bytes]) -> list[MessageId]:
    """Read the ids of entries: all at once where they are of one epoch, which nearly all are."""
    if not texts:
        return []
    epoch, dash, _ = texts[0].partition(b"-")
    seqs = (b"," + b",".join(texts)).replace(b"," + epoch + dash, b",")
    if b"-" in seqs:
        return [MessageId(int(epoch), int(seq)) for epoch, _, seq in (text.partition(b"-") for text in texts)]
    return list(map(_message_id, zip(repeat(int(epoch)), _NUMBERS.decode(b"[%b]" % seqs[1:]))))


_message_id = partial(tuple.__new__, MessageId)
"""Make an id of a pair, without a step through Python for each."""
_NUMBERS = msgspec.json.Decoder(list[int])
