"""What a stream's name says of its rows: a number in place of the name, the same in every database; whose; of what."""

from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

from millrace_core.errors import InvalidName
from millrace_core.names import StreamName, is_snapshot, tenant, trader_actions
from millrace_core.orders import Order


@lru_cache(maxsize=65_536)
def stream_id(name: str) -> int:
    """Return the number of a Redis name: 48 bits of a hash, so that rows are built without asking the database.

    Two names of one number would be refused when the second is added; among 10,000 names the odds are 1 to 5 million.
    """
    return int.from_bytes(blake2b(name.encode(), digest_size=6).digest(), "big")


def symbol_of(order: Order, stream: StreamName) -> str:
    """Return the symbol of an order that a message names: its own, else the stream's; empty where neither says one.

    Exchanges may number the orders of each symbol for itself, so an order of no known symbol is never taken for another
    of its number: it stands by itself.
    """
    return order.symbol or stream.symbol or ""


class StreamParts(NamedTuple):
    """What a Redis name says, as the columns of `streams`."""

    tenant: str | None
    exchange: str | None
    action: str | None
    symbol: str | None
    kind: str
    """`deltas`, `snapshots`, `requests`, or `other`."""


def parts_of(name: str) -> StreamParts:
    """Take a Redis name apart; a name of no known form belongs to no tenant."""
    try:
        of = tenant(name.partition(".")[0])
        if name == trader_actions(of):
            return StreamParts(of, None, "traderActions", None, "requests")
        parsed = StreamName.parse(name)
    except InvalidName:
        return StreamParts(None, None, None, None, "other")
    return StreamParts(*parsed, "snapshots" if is_snapshot(name) else "deltas")
