"""Order books of the past: a stored snapshot with the messages after it applied.

`Rebuilt` is pure; the functions below it ask the database for the snapshot and the messages.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa

from millrace_core.errors import InvalidMessage
from millrace_core.ids import MessageId
from millrace_core.market import BookSnapshot
from millrace_core.messages import encode
from millrace_core.names import StreamName
from millrace_core.states import BookState
from millrace_store.backends.database import Reader
from millrace_store.errors import BookUnknown
from millrace_store.queries.records import BookRecord
from millrace_store.schema import tables
from millrace_store.schema.streams import stream_id


class Base(NamedTuple):
    """A whole book from which others are rebuilt: a gatherer's snapshot or a checkpoint of our own."""

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
    """A book that is rebuilt from a base by applying the messages after it."""

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
        """The state that holds the book and detects its errors."""
        return self._state

    @property
    def nonce(self) -> int | None:
        """The exchange's own number of the book."""
        return self._state.book.nonce

    def apply(self, deltas: Iterable[Delta]) -> None:
        """Apply the messages that follow, in order.

        Raises:
            BookUnknown: a message before them is missing, one cannot be decoded, or a checksum does not match.
        """
        for delta in deltas:
            if not delta.id.follows(self.last):
                raise BookUnknown(f"messages between {self.last} and {delta.id} are not stored")
            if delta.data is not None:
                self._take(delta.id, delta.data)
            self.last, self.at_ms = delta.id, delta.at_ms

    def proved(self) -> "Rebuilt":
        """Return the book if it is valid.

        Raises:
            BookUnknown: the book is crossed.
        """
        self._prove()
        return self

    def as_base(self) -> Base:
        """Return the book as a base for others."""
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
    """Return the deltas of one epoch that come after a message, in order."""
    return sorted(delta for delta in deltas if delta.id.epoch == after.epoch and delta.id > after)


_SLACK_MS: Final = 10_000
"""A gatherer's clock may be set back by so much without a message being missed."""
_DELTAS_A_PIECE: Final = 500


class Moment(NamedTuple):
    """The book at a moment."""

    at_ms: int

    def reached(self, delta: Delta) -> bool:
        """Tell whether a message is beyond the goal."""
        return delta.at_ms > self.at_ms


class After(NamedTuple):
    """The book after a message."""

    id: MessageId

    def reached(self, delta: Delta) -> bool:
        """Tell whether a message is beyond the goal."""
        return delta.id > self.id


class Nonce(NamedTuple):
    """The book at the exchange's own number."""

    number: int

    def reached(self, delta: Delta) -> bool:
        """Tell whether a message is beyond the goal."""
        return delta.nonce is not None and delta.nonce > self.number


Goal = Moment | After | Nonce


async def rebuild(reader: Reader, name: StreamName, goal: Goal) -> Rebuilt:
    """Rebuild a book.

    Raises:
        BookUnknown: no base is old enough, or messages after it are missing or wrong.
    """
    base = await base_of(reader, name, goal)
    if base is None:
        raise BookUnknown("no stored snapshot is old enough")
    book = Rebuilt(base)
    # Rows beyond the moment need not be read, except for a clock that was set back by up to the slack.
    until = goal.at_ms + _SLACK_MS if isinstance(goal, Moment) else None
    async for deltas in following(reader, stream_id(str(name)), book.last, base.at_ms, until):
        # Stop at the first message beyond the goal, whatever the times of later ones are.
        first = next((at for at, delta in enumerate(deltas) if goal.reached(delta)), len(deltas))
        book.apply(deltas[:first])
        if first < len(deltas):
            break
    await _refuse_later_epoch(reader, name, goal, book)
    return book.proved()


async def following(
    reader: Reader, stream: int, after: MessageId, at_ms: int, until_ms: int | None = None
) -> AsyncIterator[list[Delta]]:
    """Return the messages of an epoch that follow one of them, in order, piece by piece."""
    last, since = after, at_ms - _SLACK_MS
    while True:
        rows = await reader.fetch(_deltas(stream, last, since, until_ms))
        found = [Delta(MessageId(epoch, seq), at, nonce, data) for at, epoch, seq, nonce, data in rows]
        piece = in_order(found, last)
        if piece:
            yield piece
            last, since = piece[-1].id, piece[-1].at_ms - _SLACK_MS
        if len(rows) < _DELTAS_A_PIECE:
            return


def _deltas(stream: int, after: MessageId, since: int, until: int | None) -> sa.CompoundSelect[Any]:
    """Select deltas and statuses after a message: together their ids have no gaps."""
    parts = []
    for table in (tables.book_deltas, tables.statuses):
        rows = table.c
        empty = (sa.cast(sa.null(), sa.BigInteger()).label("nonce"), sa.cast(sa.null(), sa.Text()).label("data"))
        values = (rows.nonce, rows.data) if "data" in rows else empty
        part = sa.select(rows.at_ms, rows.epoch, rows.seq, *values).where(
            rows.stream_id == sa.literal(stream, sa.BigInteger()),
            rows.at_ms >= sa.literal(since, sa.BigInteger()),
            rows.epoch == sa.literal(after.epoch, sa.BigInteger()),
            rows.seq > sa.literal(after.seq, sa.BigInteger()),
        )
        if until is not None:
            part = part.where(rows.at_ms <= sa.literal(until, sa.BigInteger()))
        limited = part.order_by(rows.at_ms, rows.seq).limit(_DELTAS_A_PIECE).subquery()
        parts.append(sa.select(limited))
    both = sa.union_all(*parts)
    return both.order_by(sa.literal_column("at_ms"), sa.literal_column("seq")).limit(_DELTAS_A_PIECE)


async def base_of(reader: Reader, name: StreamName, goal: Goal) -> Base | None:
    """Return the newest snapshot or checkpoint that is not beyond the goal."""
    snapshots, checkpoints = tables.snapshots.c, tables.book_checkpoints.c
    of_gatherer = sa.select(
        *(snapshots.as_of_epoch, snapshots.as_of_seq, snapshots.at_ms, snapshots.nonce),
        *(sa.literal(1), snapshots.data),
    ).where(snapshots.stream_id == sa.literal(stream_id(name.snapshot), sa.BigInteger()))
    ours = sa.select(
        *(checkpoints.epoch, checkpoints.seq, checkpoints.at_ms, checkpoints.nonce),
        *(checkpoints.checked, checkpoints.data),
    ).where(checkpoints.stream_id == sa.literal(stream_id(str(name)), sa.BigInteger()))
    found = []
    for wanted, table, id_ in (
        (of_gatherer, snapshots, (snapshots.as_of_epoch, snapshots.as_of_seq)),
        (ours, checkpoints, (checkpoints.epoch, checkpoints.seq)),
    ):
        for row in await reader.fetch(_not_beyond(wanted, table, id_, goal).limit(1)):
            epoch, seq, at_ms, nonce, checked, data = row
            found.append(Base(MessageId(epoch, seq), at_ms, nonce, bool(checked), data))
    return max(found, key=lambda base: base.as_of, default=None)


def _not_beyond(
    wanted: sa.Select[Any], table: Any, id_: tuple[sa.ColumnClause[int], ...], goal: Goal
) -> sa.Select[Any]:
    match goal:
        case Moment(at_ms):
            order = (table.at_ms.desc(), *(column.desc() for column in id_))
            return wanted.where(table.at_ms <= sa.literal(at_ms, sa.BigInteger())).order_by(*order)
        case After(target):
            epoch, seq = id_
            same_epoch = epoch == sa.literal(target.epoch, sa.BigInteger())
            return wanted.where(same_epoch, seq <= sa.literal(target.seq, sa.BigInteger())).order_by(seq.desc())
        case Nonce(number):
            order = (table.nonce.desc(), *(column.desc() for column in id_))
            return wanted.where(table.nonce <= sa.literal(number, sa.BigInteger())).order_by(*order)


async def _refuse_later_epoch(reader: Reader, name: StreamName, goal: Goal, book: Rebuilt) -> None:
    """Refuse a book that ends with its epoch although messages of a later epoch belong to it."""
    match goal:
        case After(target) if book.last < target:
            raise BookUnknown(f"the message {target} is not stored; the last one before it is {book.last}")
        case Moment(at_ms):
            table = tables.book_deltas.c
            later = (
                sa.select(table.epoch)
                .where(
                    table.stream_id == sa.literal(stream_id(str(name)), sa.BigInteger()),
                    table.at_ms >= sa.literal(book.at_ms, sa.BigInteger()),
                    table.at_ms <= sa.literal(at_ms, sa.BigInteger()),
                    table.epoch > sa.literal(book.last.epoch, sa.BigInteger()),
                )
                .limit(1)
            )
            if found := await reader.fetch(later):
                raise BookUnknown(f"the first snapshot of epoch {found[0][0]} is not stored")


def record_of(name: StreamName, rebuilt: Rebuilt, depth: int | None) -> BookRecord:
    """Return the record of a rebuilt book."""
    book = rebuilt.state.book
    return BookRecord(
        exchange=name.exchange,
        symbol=name.symbol or "",
        message_id=str(rebuilt.last),
        at_ms=rebuilt.at_ms,
        nonce=rebuilt.nonce,
        bids=book.bids.levels(depth),
        asks=book.asks.levels(depth),
        checked=rebuilt.checked,
        deltas=rebuilt.deltas,
    )
