"""Where a page ended: an opaque text that holds the key of its last row."""

import base64
import binascii
from typing import Any

import msgspec
import sqlalchemy as sa

from millrace_store.errors import BadCursor

Key = tuple[int | str, ...]


def encode_cursor(key: Key) -> str:
    """Return the cursor after the row of this key."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).rstrip(b"=").decode()


def decode_cursor(cursor: str, kinds: tuple[type, ...]) -> Key:
    """Read a cursor of a query whose key has values of these types.

    Raises:
        BadCursor: it is none, or another query's.
    """
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        key = msgspec.json.decode(raw, type=list[int | str])
    except (binascii.Error, msgspec.MsgspecError, ValueError) as error:
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
