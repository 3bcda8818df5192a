"""Ids of Redis names, and the parts of a name: tenant, exchange, action, symbol."""

from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

from millrace_core.errors import InvalidName
from millrace_core.names import StreamName, is_snapshot, tenant, trader_actions
from millrace_core.orders import Order


@lru_cache(maxsize=65_536)
def stream_id(name: str) -> int:
    """Return the id of a Redis name: 48 bits of a hash, so that rows are built without asking the database.

    The id is the same in every database. The database refuses a second name of the same id; among 10,000 names the odds
    of one are 1 to 5 million.
    """
    return int.from_bytes(blake2b(name.encode(), digest_size=6).digest(), "big")


def symbol_of(order: Order, stream: StreamName) -> str:
    """Return the symbol of an order: its own, else the stream's, else an empty text.

    Exchanges may number orders by symbol, so an order without a known symbol is never joined with another of its id.
    """
    return order.symbol or stream.symbol or ""


class StreamParts(NamedTuple):
    """The parts of a Redis name, as in the table `streams`."""

    tenant: str | None
    exchange: str | None
    action: str | None
    symbol: str | None
    kind: str
    """`deltas`, `snapshots`, `requests`, or `other`."""


def parts_of(name: str) -> StreamParts:
    """Return the parts of a Redis name; a name of unknown form belongs to no tenant."""
    try:
        of = tenant(name.partition(".")[0])
        if name == trader_actions(of):
            return StreamParts(of, None, "traderActions", None, "requests")
        parsed = StreamName.parse(name)
    except InvalidName:
        return StreamParts(None, None, None, None, "other")
    return StreamParts(*parsed, "snapshots" if is_snapshot(name) else "deltas")
