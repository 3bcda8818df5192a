"""What travels between dbsync and a process that reads for it: an order there, ready hauls back."""

import pickle
from collections.abc import Callable
from typing import Final, NamedTuple

from millrace_core.ids import MessageId
from millrace_dbsync.plan import TenantPlan
from millrace_dbsync.reader.passing import WORD, Passage
from millrace_dbsync.reader.ready import Ready
from millrace_store.writing.packing import pack, unpack

SIZE_BYTES: Final = 8
GREETING: Final = b"\x01"
"""What the process says when it can be given its order."""


class Order(NamedTuple):
    """What to read, and from where on."""

    redis_url: str
    plan: TenantPlan
    stored: dict[str, MessageId]


def packed_order(order: Order) -> bytes:
    """Return an order as bytes, behind its size."""
    packed = pickle.dumps(order)
    return len(packed).to_bytes(SIZE_BYTES, "big") + packed


def order_of(packed: bytes) -> Order:
    """Return the order that our own process packed, without its size."""
    order: Order = pickle.loads(packed)  # noqa: S301 - our own process's
    return order


def put(slot: int, passage: Passage, ready: Ready) -> bytes:
    """Put a haul in a slot; give the word that says so."""
    packed = pack(ready.batch, ready.told)
    passage.put(packed)
    return WORD.pack(slot, len(packed))


def taken(passage: Passage, size: int, release: Callable[[], None]) -> Ready:
    """Return the haul that is in a slot."""
    batch, told = unpack(passage.take(size))
    return Ready(told, batch, None, release)
