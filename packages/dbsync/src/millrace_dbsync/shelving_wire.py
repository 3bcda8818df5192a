"""What travels between dbsync and the process that decodes for it: pages there, batches back."""

from collections.abc import Mapping
from typing import Final

import msgspec

from millrace_bus import JournalPage
from millrace_dbsync.shelved import Shelved
from millrace_store import Batch
from millrace_store.packing import pack, unpack

_Page = tuple[str, list[bytes], list[bytes | None]]
_PAGES: Final = msgspec.msgpack.Decoder(list[_Page])


def packed_pages(pages: Mapping[str, JournalPage]) -> bytes:
    """Give pages as bytes."""
    return msgspec.msgpack.encode([(name, page.texts, page.bodies) for name, page in pages.items()])


def pages_of(packed: memoryview) -> dict[str, JournalPage]:
    """Give the pages that were packed."""
    return {name: JournalPage(texts, bodies) for name, texts, bodies in _PAGES.decode(packed)}


def packed_shelved(batch: Batch, shelved: Shelved) -> bytes:
    """Give decoded messages as bytes."""
    return pack(batch, (shelved.dead, shelved.failed))


def shelved_of(packed: memoryview) -> tuple[Batch, Shelved]:
    """Give the decoded messages that were packed by our own process; their latencies are in the batch."""
    batch, (dead, failed) = unpack(packed)
    return batch, Shelved(dead=dead, failed=failed)
