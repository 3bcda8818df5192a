"""What travels between dbsync and a process that reads for it: an order there, ready hauls back."""

import pickle
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import msgspec

from millrace_bus import JournalPage
from millrace_core.ids import MessageId
from millrace_dbsync.passing import WORD, Passage
from millrace_dbsync.plan import TenantPlan
from millrace_dbsync.ready import Ready
from millrace_store.packing import pack, unpack

SIZE_BYTES: Final = 8
GREETING: Final = b"\x01"
"""What the process says when it can be given its order."""

_PAGES: Final = msgspec.msgpack.Decoder(list[tuple[str, list[bytes], list[bytes | None]]])


class Order(NamedTuple):
    """What to read, and from where on."""

    redis_url: str
    plan: TenantPlan
    stored: dict[str, MessageId]


def packed_order(order: Order) -> bytes:
    """Give an order as bytes, behind its size."""
    packed = pickle.dumps(order)
    return len(packed).to_bytes(SIZE_BYTES, "big") + packed


def order_of(packed: bytes) -> Order:
    """Give the order that our own process packed, without its size."""
    order: Order = pickle.loads(packed)  # noqa: S301 - our own process's
    return order


def put(slot: int, passage: Passage, ready: Ready) -> bytes:
    """Put a haul in a slot, whole; give the word that says so."""
    pages = [(name, page.texts, page.bodies) for name, page in ready.pages().items()]
    parts = (pack(ready.batch, ready.told), msgspec.msgpack.encode(pages))
    passage.put(parts)
    return WORD.pack(slot, *map(len, parts))


def taken(passage: Passage, batch_size: int, pages_size: int, release: Callable[[], None]) -> Ready:
    """Give the haul that is in a slot. What was read is left there: it is seldom asked for."""
    batch, told = unpack(passage.take(0, batch_size))

    def pages() -> Mapping[str, JournalPage]:
        packed = _PAGES.decode(passage.take(batch_size, pages_size))
        return {name: JournalPage(texts, bodies) for name, texts, bodies in packed}

    return Ready(told, batch, pages, release)
