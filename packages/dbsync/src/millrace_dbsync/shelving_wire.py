"""What travels between dbsync and the process that decodes for it: pages there, batches back."""

import pickle
from collections.abc import Mapping
from functools import partial
from typing import Final

import msgspec

from millrace_bus import JournalPage
from millrace_core.ids import MessageId
from millrace_dbsync.shelved import Shelved
from millrace_store import Batch
from millrace_store.packing import pack, unpack

SIZE_BYTES: Final = 8
"""Each thing is preceded by its size."""

_Page = tuple[str, list[tuple[int, int]], list[bytes | None]]
_PAGES: Final = msgspec.msgpack.Decoder(list[_Page])
_message_id = partial(tuple.__new__, MessageId)


def packed_pages(pages: Mapping[str, JournalPage]) -> bytes:
    """Give pages as bytes."""
    return msgspec.msgpack.encode([(name, page.ids, page.bodies) for name, page in pages.items()])


def pages_of(packed: bytes) -> dict[str, JournalPage]:
    """Give the pages that were packed."""
    return {name: JournalPage(list(map(_message_id, ids)), bodies) for name, ids, bodies in _PAGES.decode(packed)}


def packed_shelved(batch: Batch, shelved: Shelved) -> bytes:
    """Give decoded messages as bytes."""
    return pickle.dumps((pack(batch), shelved.dead, shelved.failed), pickle.HIGHEST_PROTOCOL)


def shelved_of(packed: bytes) -> tuple[Batch, Shelved]:
    """Give the decoded messages that were packed by our own process; their latencies are in the batch."""
    batch, dead, failed = pickle.loads(packed)  # noqa: S301 - our own process's
    return unpack(batch), Shelved(dead=dead, failed=failed)
