"""Reads journals from known positions, many at once, as a database needs. See docs/protocol.md, "Names"."""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Self

from millrace_bus.connection.calls import until_answered
from millrace_bus.connection.connection import CommandPart
from millrace_bus.connection.reconnecting import ReconnectingConnection
from millrace_bus.errors import CommandRefused
from millrace_bus.reading.journal_index import journal_names
from millrace_bus.reading.journal_page import JournalPage, first_id, id_of
from millrace_core.ids import MessageId
from millrace_core.names import Tenant

_LONGEST_WAIT_S = 1.0
"""Shorter than the time after which a silent connection is pinged."""
_LOOK_EVERY_S = 0.01
_IGNORED_S = 60.0
"""How long a key that is not a stream is left alone before it is tried again."""
_log = logging.getLogger(__name__)


class Extent(NamedTuple):
    """Range of a journal."""

    oldest: MessageId | None
    """The oldest entry; None if the journal is empty."""
    newest: MessageId
    """The last id that was ever written; it may have been deleted since."""
    length: int
    """Present entries."""
    added: int
    """Entries written since the key exists; more than `length` once it was trimmed."""


class Journals:
    """Reads journals over a connection of its own; made by `Bus.journals`. Every call waits out any outage."""

    def __init__(self, reconnecting: ReconnectingConnection) -> None:
        self._reconnecting = reconnecting
        self._ignored_until_s: dict[str, float] = {}
        """Until when (monotonic) a name is not read, because its key is not a stream."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._reconnecting.close()

    async def names(self, tenants: Iterable[Tenant] | None = None) -> set[str]:
        """Return the names of the journals of some tenants, or of all: streams, their snapshots, requests to trade."""
        return await journal_names(self._call, tenants)

    async def read(
        self, positions: Mapping[str, MessageId], *, most: int, wait_s: float = 0.0
    ) -> dict[str, JournalPage]:
        """Return up to `most` entries after each position, oldest first; journals without new entries are omitted.

        Waits up to `wait_s` (1 s at most) for the first entry. An outage meanwhile starts the wait again. A key that is
        not a stream is reported in the log and passed over.

        Raises:
            CommandRefused: Redis does not read.
        """
        if not positions:
            await asyncio.sleep(wait_s)
            return {}
        groups = self._reconnecting.grouping(positions)
        if len(groups) == 1:
            return await self._read(positions, groups[0], most, min(wait_s, _LONGEST_WAIT_S))
        # No command can wait for entries of more than one group.
        ends = time.monotonic() + min(wait_s, _LONGEST_WAIT_S)
        while True:
            pages = await asyncio.gather(*(self._read(positions, group, most, 0.0) for group in groups))
            found = {name: page for each in pages for name, page in each.items()}
            if found or time.monotonic() >= ends:
                return found
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _read(
        self, positions: Mapping[str, MessageId], names: Sequence[str], most: int, wait_s: float
    ) -> dict[str, JournalPage]:
        names = [name for name in names if self._ignored_until_s.get(name, 0.0) < time.monotonic()]
        if not names:
            await asyncio.sleep(wait_s)
            return {}
        block = ("BLOCK", int(wait_s * 1_000)) if wait_s > 0 else ()
        after = (str(positions[name]) for name in names)
        try:
            found = await self._call("XREAD", "COUNT", most, *block, "STREAMS", *names, *after)
        except CommandRefused as refused:
            if refused.code != "WRONGTYPE":
                raise
            if len(names) == 1:
                self._ignored_until_s[names[0]] = time.monotonic() + _IGNORED_S
                _log.error("%s is not read: %s; delete the key", names[0], refused)
                return {}
            pages = [await self._read(positions, [name], most, 0.0) for name in names]
            return {name: page for each in pages for name, page in each.items()}
        return {_text(name): JournalPage.read(entries) for name, entries in (found or {}).items()}

    async def last_before(self, name: str, position: MessageId) -> MessageId | None:
        """Return the id of the last entry before an id, or None."""
        found = await self._call("XREVRANGE", name, f"({position}", "-", "COUNT", 1)
        return first_id(found)

    async def extents(self, names: Iterable[str]) -> dict[str, Extent]:
        """Return how far journals reach; those that do not exist, or are not streams, are left out."""
        wanted = tuple(names)
        found = await asyncio.gather(*map(self._extent, wanted))
        return {name: extent for name, extent in zip(wanted, found, strict=True) if extent is not None}

    async def _extent(self, name: str) -> Extent | None:
        try:
            info = await self._call("XINFO", "STREAM", name)
        except CommandRefused as refused:
            if "no such key" in str(refused) or refused.code == "WRONGTYPE":
                return None
            raise
        first = info[b"first-entry"]
        return Extent(
            oldest=None if first is None else id_of(first[0]),
            newest=id_of(info[b"last-generated-id"]),
            length=info[b"length"],
            added=info[b"entries-added"],
        )

    async def _call(self, *parts: CommandPart) -> Any:
        """Send a command that only reads, until it is answered."""
        return await until_answered(lambda: self._reconnecting.call(*parts))


def _text(key: bytes) -> str:
    # A name that is not UTF-8 is not ours; it must not keep the others from being read.
    return key.decode(errors="replace")
