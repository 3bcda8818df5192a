"""Reading journals from known positions, many at once: what a database needs. See docs/protocol.md, "Names"."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Self

from millrace_bus.connection.calls import until_answered
from millrace_bus.connection.connection import Part
from millrace_bus.connection.control import Control
from millrace_bus.connection.reconnecting import Link
from millrace_bus.errors import Refused
from millrace_bus.reading.journal_page import JournalPage
from millrace_core.ids import MessageId

BEGINNING = MessageId(0, 0)
"""Before every entry."""
_LONGEST_WAIT_S = 1.0
"""Shorter than the link's pulse, which waits behind it."""


class Extent(NamedTuple):
    """From where to where a journal reaches."""

    oldest: MessageId | None
    """The first entry that is still there; None when it is empty."""
    newest: MessageId
    """The last id that was ever written; it may have been deleted since."""
    length: int
    """Entries that are there."""
    added: int
    """Entries that were ever written since the key exists; more than `length` once it was trimmed."""


class Journals:
    """Reads journals over a connection of its own; made by `Bus.journals`. Every call waits out any outage."""

    def __init__(self, link: Link, redis: Control) -> None:
        self._link, self._redis = link, redis

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._link.close()

    async def names(self) -> set[str]:
        """Return the names of all journals there are: streams, their snapshots, requests to trade."""
        return {_text(key) async for key in self._redis.scan_iter(count=1_000, _type="STREAM")}

    async def read(
        self, positions: Mapping[str, MessageId], *, most: int, wait_s: float = 0.0
    ) -> dict[str, JournalPage]:
        """Return what comes after each position, oldest first, `most` entries of each journal; only those with entries.

        Waits up to `wait_s` (1 s at most) for the first entry. An outage meanwhile starts the wait again.

        Raises:
            Refused: Redis does not read, as when a key is no stream.
        """
        if not positions:
            await asyncio.sleep(wait_s)
            return {}
        block = ("BLOCK", int(min(wait_s, _LONGEST_WAIT_S) * 1_000)) if wait_s > 0 else ()
        after = (str(position) for position in positions.values())
        found = await self._call("XREAD", "COUNT", most, *block, "STREAMS", *positions, *after)
        return {_text(name): JournalPage.read(entries) for name, entries in (found or {}).items()}

    async def last_before(self, name: str, position: MessageId) -> MessageId | None:
        """Return the id of the last entry before an id; None where there is none."""
        found = await self._call("XREVRANGE", name, f"({position}", "-", "COUNT", 1)
        return _id(found[0][0]) if found else None

    async def extents(self, names: Iterable[str]) -> dict[str, Extent]:
        """Return how far journals reach; those that do not exist are left out."""
        wanted = tuple(names)
        found = await asyncio.gather(*map(self._extent, wanted))
        return {name: extent for name, extent in zip(wanted, found, strict=True) if extent is not None}

    async def _extent(self, name: str) -> Extent | None:
        try:
            info = await self._call("XINFO", "STREAM", name)
        except Refused as refused:
            if "no such key" in str(refused):
                return None
            raise
        first = info[b"first-entry"]
        return Extent(
            oldest=None if first is None else _id(first[0]),
            newest=_id(info[b"last-generated-id"]),
            length=info[b"length"],
            added=info[b"entries-added"],
        )

    async def _call(self, *parts: Part) -> Any:
        """Send a command that only reads, until it is answered."""
        return await until_answered(lambda: self._link.call(*parts))


def _id(entry_id: bytes) -> MessageId:
    epoch, _, seq = entry_id.partition(b"-")
    return MessageId(int(epoch), int(seq))


def _text(key: bytes) -> str:
    # A name that is no UTF-8 is nobody's; it must not stop those that are.
    return key.decode(errors="replace")
