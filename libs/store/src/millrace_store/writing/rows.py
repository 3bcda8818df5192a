"""Rows and values as both databases can hold them. Pure.

Order-book deltas and trades are nearly all rows there are, so they are made a page of a journal at a time, column by
column.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import chain, repeat
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from millrace_core.clock import DAY_MS
from millrace_core.decimals import LARGEST_EXPONENT, number_text, spelled
from millrace_core.ids import MessageId
from millrace_core.latency import Histogram
from millrace_core.market import Trade
from millrace_core.message_ids import MessageIds
from millrace_core.messages import decimal_of, encode
from millrace_core.position import EXACT
from millrace_store.backends.columns import Columns
from millrace_store.schema.streams import stream_id

Number = float | msgspec.Raw
"""A float, which may be exact, or the digits of a JSON number as they travelled."""

_AHEAD_MS: Final = DAY_MS
_INT64: Final = 2**63
_MOST_FIGURES: Final = 2 * LARGEST_EXPONENT
"""As many as a number of an exchange has at most, with the zeros of its exponent; PostgreSQL takes more."""


class Place(NamedTuple):
    """The identity of a message in the database: its stream, its id, its times."""

    name: str
    """The Redis name on which it was published: a stream's, its snapshots', or a tenant's traderActions."""
    id: MessageId
    at_ms: int
    """When it was published, by its trace; for a request its own time."""
    event_ms: int | None = None
    """The exchange's time, if it sent one."""


class LatencyAddition(NamedTuple):
    """Durations of one hop within one minute."""

    stream: int
    hop: str
    minute_ms: int
    histogram: Histogram


class MarketTrade(Protocol):
    """The stored fields of a trade."""

    @property
    def id(self) -> str | None:
        """The exchange's id."""

    @property
    def timestamp(self) -> int | None:
        """When it was made, ms."""

    @property
    def side(self) -> str | None:
        """`buy` or `sell`: the taker's side."""

    @property
    def price(self) -> Number:
        """In the quote currency."""

    @property
    def amount(self) -> Number:
        """In the base currency."""


def traded_at(trade: MarketTrade, published_ms: int) -> int:
    """Return the time of a trade (ms): the exchange's, or `published_ms` where that is missing or absurd."""
    at_ms = trade.timestamp
    return at_ms if at_ms is not None and 0 <= at_ms <= published_ms + _AHEAD_MS else published_ms


def digits(numbers: Sequence[Number]) -> list[str]:
    """Return the digits of each number, several times faster than one by one."""
    text = f"{encode(numbers)[1:-1].decode()},".replace(".0,", ",")
    found = text[:-1].split(",") if len(text) > 1 else []
    if "e" in text or "E" in text or (len(text) > _MOST_FIGURES and max(map(len, found)) > _MOST_FIGURES):
        return [_storable(each) for each in found]
    return found


def _storable(text: str) -> str:
    """Return the digits of a number as both databases can hold them: one that no exchange has becomes a float's."""
    found = spelled(text)
    is_storable = len(found) <= _MOST_FIGURES and "e" not in found and "E" not in found
    return found if is_storable else spelled(repr(float(text)))


def trade_rows(
    stream: int, ids: MessageIds, published_ms: Sequence[int], trades: Sequence[Sequence[MarketTrade]]
) -> Columns:
    """Return a row for each trade of each message."""
    counts = [len(made) for made in trades]
    flat = list(chain.from_iterable(trades))
    return Columns(
        [
            [stream] * len(flat),
            _times(flat, _spread(published_ms, counts)),
            list(_spread(ids.epochs, counts)),
            list(_spread(ids.seqs, counts)),
            list(chain.from_iterable(map(range, counts))),
            _nul_free([trade.id for trade in flat]),
            _nul_free([trade.side for trade in flat]),
            digits([trade.price for trade in flat]),
            digits([trade.amount for trade in flat]),
        ]
    )


def _spread(values: Sequence[int], counts: Sequence[int]) -> "chain[int]":
    """Repeat each value as often as its message has trades."""
    return chain.from_iterable(map(repeat, values, counts))


def _times(trades: Sequence[MarketTrade], published_ms: Iterable[int]) -> list[int]:
    """Return `traded_at` of each. Written out: a call for each would cost as much as everything else."""
    return [
        at if (at := trade.timestamp) is not None and 0 <= at <= published + _AHEAD_MS else published
        for trade, published in zip(trades, published_ms, strict=True)
    ]


def _nul_free(texts: Sequence[str | None]) -> list[str | None]:
    """Return `nul_free` of each. Written out: a call for each would cost as much as everything else."""
    return [one if one is None or "\x00" not in one else one.replace("\x00", "\ufffd") for one in texts]


class BookPage(NamedTuple):
    """Deltas of one order book in order: id, times, nonce and data of each."""

    stream: int
    at_ms: Sequence[int]
    epochs: Sequence[int]
    seqs: Sequence[int]
    event_ms: Sequence[int | None]
    nonces: Sequence[int | None]
    lines: bytes
    """The data of all deltas, one per line: one object instead of thousands until the texts are needed."""

    def columns(self) -> tuple[Iterable[Any], ...]:
        """Return the values of each of the table's columns."""
        texts = self.lines.decode().split("\n")
        stream = repeat(self.stream, len(texts))
        return stream, self.at_ms, self.epochs, self.seqs, self.event_ms, self.nonces, texts


def book_rows(pages: Sequence[BookPage]) -> Columns:
    """Return the rows of pages."""
    rows = Columns.empty(len(BookPage._fields))
    for page in pages:
        rows.extend(page.columns())
    return rows


def int64(value: int | None) -> int | None:
    """Return a number, or None when it does not fit in 64 bits."""
    return value if value is not None and -_INT64 <= value < _INT64 else None


def signed(value: int) -> int:
    """Return a number of 64 bits as databases have them, with a sign; `unsigned` is its inverse."""
    return value - 2 * _INT64 if value >= _INT64 else value


def unsigned(value: int) -> int:
    """Return the number whose 64 bits a database shows with a sign."""
    return value + 2 * _INT64 if value < 0 else value


def all_int64(values: Sequence[int | None]) -> Sequence[int | None]:
    """Return numbers, with None for those that do not fit in 64 bits."""
    every: Sequence[Any] = values
    try:
        if every and min(every) >= -_INT64 and max(every) < _INT64:
            return values
    except TypeError:
        pass  # some are None
    return [int64(value) for value in values]


def nul_free(value: str | None) -> str | None:
    """Return a text as both databases can hold it: PostgreSQL refuses NUL."""
    return value.replace("\x00", "\ufffd") if value is not None and "\x00" in value else value


def exact_digits(number: Decimal | None) -> str | None:
    """Return the digits of a decimal."""
    return None if number is None else spelled(str(number))


def float_digits(number: float | None) -> str | None:
    """Return the digits of a float: those that it remembers, else the shortest that mean it."""
    return None if number is None else number_text(number)


def fee_columns(trade: Trade) -> tuple[str | None, str | None, str | None]:
    """Return cost and currency of an own trade's fee, or of several the JSON of all by currency."""
    if not trade.fees:
        fee = trade.fee
        return (None, None, None) if fee is None else (float_digits(fee.cost), nul_free(fee.currency), None)
    sums: dict[str, Decimal] = {}
    for fee in trade.fees:
        code = nul_free(fee.currency) or ""
        sums[code] = EXACT.add(sums.get(code, Decimal(0)), decimal_of(fee.cost) or Decimal(0))
    return None, None, encode({code: exact_digits(cost) for code, cost in sums.items()}).decode()


def identity(place: Place) -> tuple[int, int, int, int]:
    """Return the first four columns of a message's rows."""
    return stream_id(place.name), place.at_ms, *place.id
