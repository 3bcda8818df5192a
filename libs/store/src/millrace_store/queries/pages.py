"""Scopes, pages and cursors: the filters of a query, and paging through its rows."""

import base64
from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
import sqlalchemy as sa

from millrace_core.json_problems import UNREADABLE
from millrace_core.names import ExchangeId, Symbol, Tenant
from millrace_store.backends.database import Database
from millrace_store.backends.sql import Row
from millrace_store.errors import BadCursor

DEFAULT_LIMIT = 1_000
MAX_LIMIT = 10_000

RowT = TypeVar("RowT")


class Scope(NamedTuple):
    """The tenant of a query and its filters; None leaves a filter open."""

    tenant: Tenant
    exchange: ExchangeId | None = None
    symbol: Symbol | None = None
    since_ms: int | None = None
    """Inclusive."""
    until_ms: int | None = None
    """Exclusive."""
    source: str | None = None
    """An `orderSource`, which orders and their answers and fills have; balances and market data have none."""
    actions: tuple[str, ...] | None = None
    """Only streams of these actions."""


class Page(NamedTuple, Generic[RowT]):
    """Some of a query's rows, in order."""

    rows: list[RowT]
    next_cursor: str | None
    """Pass it to the same query for the rows that follow; None after the last page. Rows written between two pages
    neither repeat nor displace the rows that existed at the start."""


Key = tuple[int | str, ...]


def encode_cursor(key: Key) -> str:
    """Return the cursor after the row of this key."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).rstrip(b"=").decode()


def decode_cursor(cursor: str, kinds: tuple[type, ...]) -> Key:
    """Return the key in a cursor, whose values must be of these types.

    Raises:
        BadCursor: it is not a cursor, or belongs to another query.
    """
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        key = msgspec.json.decode(raw, type=list[int | str])
    except (*UNREADABLE, ValueError) as error:
        raise BadCursor from error
    fits = len(key) == len(kinds) and all(type(value) is kind for value, kind in zip(key, kinds, strict=True))
    if not fits or any(isinstance(value, int) and not -(2**63) <= value < 2**63 for value in key):
        raise BadCursor
    if any(isinstance(value, str) and "\x00" in value for value in key):
        raise BadCursor
    return tuple(key)


def beyond(columns: list[sa.ColumnClause[Any]], key: Key, *, descending: bool) -> sa.ColumnElement[bool]:
    """Return the condition that a row comes after a key, in the order of these columns."""
    values = sa.tuple_(*(sa.literal(value, column.type) for value, column in zip(key, columns, strict=True)))
    row = sa.tuple_(*columns)
    return row < values if descending else row > values


async def newest(
    database: Database,
    wanted: sa.Select[Any],
    key: list[sa.ColumnClause[Any]],
    kinds: tuple[type, ...],
    limit: int,
    cursor: str | None,
    key_of: Callable[[Row], Key],
    *,
    descending: bool = True,
) -> tuple[Sequence[Row], str | None]:
    """Return a page of any query by a key, greatest first, and the cursor to the next page.

    `kinds` are the types of the key's values, and `key_of` takes them from a row.

    Raises:
        BadCursor: the cursor is not from such a page.
    """
    limit = bounded(limit)
    if cursor is not None:
        wanted = wanted.where(beyond(key, decode_cursor(cursor, kinds), descending=descending))
    async with database.reading() as reader:
        ordered = wanted.order_by(*(column.desc() if descending else column for column in key))
        rows = await reader.fetch(ordered.limit(limit + 1))
    return rows[:limit], encode_cursor(key_of(rows[limit - 1])) if len(rows) > limit else None


def bounded(limit: int) -> int:
    """Return the size of a page within the allowed range."""
    return max(1, min(limit, MAX_LIMIT))


def within(scope: Scope, at_ms: sa.ColumnClause[Any]) -> list[sa.ColumnElement[bool]]:
    """Return the conditions for the time range of a scope."""
    conditions = []
    if scope.since_ms is not None:
        conditions.append(at_ms >= sa.literal(scope.since_ms, at_ms.type))
    if scope.until_ms is not None:
        conditions.append(at_ms < sa.literal(scope.until_ms, at_ms.type))
    return conditions
