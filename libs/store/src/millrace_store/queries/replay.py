"""An order book rebuilt from a snapshot and the messages after it. Pure."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from millrace_core.errors import InvalidMessage
from millrace_core.ids import MessageId
from millrace_core.market import BookSnapshot
from millrace_core.messages import encode
from millrace_core.states import BookState
from millrace_store.errors import BookUnknown


class Base(NamedTuple):
    """A whole book from which another is rebuilt: a gatherer's snapshot or a checkpoint of ours."""

    as_of: MessageId
    at_ms: int
    """When it was published: no message after it is older."""
    nonce: int | None
    checked: bool
    data: str
    """As `BookSnapshot`'s JSON."""


class Delta(NamedTuple):
    """One message after the base; `data` is None for a status, which changes nothing."""

    id: MessageId
    at_ms: int
    nonce: int | None
    data: str | None


class Rebuilt:
    """A book on its way from a base to what was asked for."""

    def __init__(self, base: Base) -> None:
        self.last = base.as_of
        self.at_ms = base.at_ms
        self.deltas = 0
        self.checked = base.checked
        self._state = BookState()
        try:
            self._state.reset(msgspec.Raw(base.data.encode()))
        except InvalidMessage as error:
            raise BookUnknown(f"the snapshot as of {base.as_of} cannot be read: {error}") from error
        self._prove()

    @property
    def state(self) -> BookState:
        """The book, and what is wrong with it."""
        return self._state

    @property
    def nonce(self) -> int | None:
        """The exchange's own number of the book."""
        return self._state.book.nonce

    def apply(self, deltas: Iterable[Delta]) -> None:
        """Apply the messages that follow, in order.

        Raises:
            BookUnknown: one is missing before them, cannot be read, or a checksum does not match.
        """
        for delta in deltas:
            if not delta.id.follows(self.last):
                raise BookUnknown(f"messages between {self.last} and {delta.id} are not stored")
            if delta.data is not None:
                self._take(delta.id, delta.data)
            self.last, self.at_ms = delta.id, delta.at_ms

    def proved(self) -> "Rebuilt":
        """Return it again, once nothing proves it wrong.

        Raises:
            BookUnknown: the book is crossed.
        """
        self._prove()
        return self

    def as_base(self) -> Base:
        """Return it as something to rebuild others from."""
        book = self._state.book
        whole = BookSnapshot(book.bids.levels(), book.asks.levels(), str(self.last), book.checksum(), book.nonce)
        return Base(self.last, self.at_ms, book.nonce, self.checked, encode(whole).decode())

    def _take(self, id_: MessageId, data: str) -> None:
        try:
            delta = self._state.apply(msgspec.Raw(data.encode()))
        except InvalidMessage as error:
            raise BookUnknown(f"the message {id_} cannot be read: {error}") from error
        self.deltas += 1
        if delta.checksum is not None:
            self._prove()
            self.checked = True

    def _prove(self) -> None:
        if (flaw := self._state.flaw()) is not None:
            raise BookUnknown(f"as of {self.last} {flaw}")


def in_order(deltas: Sequence[Delta], after: MessageId) -> list[Delta]:
    """Return those of one epoch that come after a message, by number."""
    return sorted(delta for delta in deltas if delta.id.epoch == after.epoch and delta.id > after)
