"""Entries of a journal as they were read together: thousands at a time, so kept column by column."""

from collections.abc import Iterator, Sequence
from itertools import compress
from typing import Any, NamedTuple, Self, overload

from millrace_core.errors import InvalidMessage, InvalidName
from millrace_core.ids import MessageId
from millrace_core.message_ids import MessageIds
from millrace_core.messages import Message, decode

FIELD = b"data"
"""The field of a journal's entry that holds the message."""


class JournalEntry(NamedTuple):
    """One entry of a journal: in streams the id is the message's own, in requests to trade it is Redis's."""

    id: MessageId
    body: bytes | None
    """The message as it was written; None if the entry has no field `data`."""


class JournalPage(Sequence[JournalEntry]):
    """Entries of one journal, oldest first."""

    __slots__ = ("_ids", "bodies", "texts")

    def __init__(self, texts: list[bytes], bodies: list[bytes | None]) -> None:
        self.texts = texts
        """The id of each entry, as Redis writes it."""
        self.bodies = bodies
        """The message of each entry."""
        self._ids: MessageIds | None = None

    @classmethod
    def read(cls, found: Sequence[Sequence[Any]]) -> Self:
        """Return a page from Redis's answer: entry ids, each with a list of its fields and values."""
        bodies = [fields[1] if len(fields) == 2 and fields[0] == FIELD else entry_body(fields) for _, fields in found]
        return cls([entry_id for entry_id, _ in found], bodies)

    @property
    def ids(self) -> MessageIds:
        """The id of each entry."""
        if self._ids is None:
            self._ids = self._run() or MessageIds.parse(self.texts)
        return self._ids

    def _run(self) -> MessageIds | None:
        """Return the ids if they are consecutive, else None. Ids only grow, so the two ends prove it."""
        if not self.texts:
            return None
        first, last = id_of(self.texts[0]), id_of(self.texts[-1])
        if first.epoch != last.epoch or last.seq - first.seq != len(self) - 1:
            return None
        return MessageIds.run(first, len(self))

    @property
    def last(self) -> MessageId:
        """The id of the newest entry."""
        return self[-1].id

    def where(self, wanted: Sequence[bool]) -> Self:
        """Return the entries whose flag is True."""
        return type(self)(list(compress(self.texts, wanted)), list(compress(self.bodies, wanted)))

    @overload
    def __getitem__(self, at: int) -> JournalEntry: ...
    @overload
    def __getitem__(self, at: slice) -> Self: ...
    def __getitem__(self, at: int | slice) -> JournalEntry | Self:
        if isinstance(at, slice):
            part = type(self)(self.texts[at], self.bodies[at])
            part._ids = None if self._ids is None else self._ids[at]
            return part
        return JournalEntry(id_of(self.texts[at]), self.bodies[at])

    def __iter__(self) -> Iterator[JournalEntry]:
        return map(JournalEntry, self.ids, self.bodies)

    def __len__(self) -> int:
        return len(self.texts)


def entry_message_id(entry_id: bytes) -> MessageId | None:
    """Read a journal entry's id; None if it is not one of ours (those fit in 64 bits, so they always parse)."""
    try:
        return MessageId.parse(entry_id.decode())
    except (InvalidName, UnicodeDecodeError):
        return None


def entry_body(fields: object) -> bytes | None:
    """Return the message of a journal's entry as Redis returns its fields, or None."""
    if not isinstance(fields, list):
        return None
    pairs = dict(zip(fields[::2], fields[1::2], strict=False))
    body = pairs.get(FIELD)
    return body if isinstance(body, bytes) else None


def first_id(found: Sequence[Sequence[Any]]) -> MessageId | None:
    """Return the id of the first entry that Redis answers; None where it answers none."""
    return id_of(found[0][0]) if found else None


def first_message(found: Sequence[Sequence[Any]]) -> Message | None:
    """Return the message of the first entry that Redis answers; None where there is none that can be read."""
    body = entry_body(found[0][1]) if found else None
    if body is None:
        return None
    try:
        return decode(body)
    except InvalidMessage:
        return None


def id_of(text: bytes) -> MessageId:
    """Return an entry's id, as Redis writes it."""
    return MessageId.parse(text.decode())
