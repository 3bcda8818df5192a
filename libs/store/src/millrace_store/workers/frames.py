"""What passes between a service and its workers: frames, each with its kind and its length in front.

A service sends a worker `Order`s. For each, the worker answers with `ROWS` and `PIECE`s, then `END` or an `ERROR`.
"""

import struct
from typing import Final, NamedTuple

from millrace_store.workers.query import Export, Query, Work

HEAD: Final = struct.Struct(">cI")
ORDER: Final = b"o"
"""An `Order`, pickled."""
ROWS: Final = b"r"
"""How many more rows were read, in decimal digits."""
PIECE: Final = b"p"
"""Bytes of the answer."""
END: Final = b"."
"""The answer is whole."""
ERROR: Final = b"e"
"""A `StoreError` or a `ValueError`, pickled: the answer ends here."""


class Order(NamedTuple):
    """What a worker is to answer."""

    url: str
    """The address of the database; it may hold a password, so it is no argument of the process."""
    asked: Query | Export | Work


def frame(kind: bytes, body: bytes = b"") -> bytes:
    """Return a frame."""
    return HEAD.pack(kind, len(body)) + body
